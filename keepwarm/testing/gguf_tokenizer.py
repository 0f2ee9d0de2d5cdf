"""The tokenizer of a GGUF, read once in a process: the `gguf` package takes three seconds to take it apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from keepwarm.errors import MissingExtra


class Field(msgspec.Struct, frozen=True):
    """One field of the file."""

    value: Any
    """A number, a text, or a list of them."""
    kind: int
    """gguf.GGUFValueType of the value."""
    inner: int | None = None
    """That of what a list holds."""


@cache
def tokenizer_fields(path: Path) -> dict[str, Field]:
    """Every `tokenizer.*` field by its name, in the file's order; do not change it.

    MissingExtra when `gguf` is not installed, FileNotFoundError where there is no such file.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingExtra("the tiny test model", "keepwarm[engine]") from error
    found = {}
    for name, field in gguf.GGUFReader(str(path)).fields.items():
        if name.startswith("tokenizer."):
            inner = int(field.types[-1]) if len(field.types) > 1 else None
            found[name] = Field(field.contents(), int(field.types[0]), inner)
    return found
