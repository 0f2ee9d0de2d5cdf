"""The tokenizer of a GGUF, read in a fraction of a second: the reader of the `gguf` package takes three.

Layout (ggml's docs/gguf.md): "GGUF", version, number of tensors, number of fields; then each field as a length and a
name, a type and a value, all little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import msgspec

from keepwarm.errors import EngineError

_MAGIC: Final = b"GGUF"
_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_LENGTH: Final = struct.Struct("<Q")


class Field(msgspec.Struct, frozen=True):
    """One field of the file."""

    value: Any
    """A number, a text, or a list of them."""
    kind: int
    """gguf.GGUFValueType of the value."""
    inner: int | None = None
    """That of what a list holds."""


def tokenizer_fields(path: Path) -> dict[str, Field]:
    """Every `tokenizer.*` field by its name, in the file's order. EngineError where the file is no whole GGUF."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise EngineError(f"{path} is no GGUF file: name one.")
    try:
        found = dict(_Fields(data).all())
    except (struct.error, KeyError, ValueError) as error:
        raise EngineError(f"The GGUF file {path} is cut off or damaged: fetch it again.") from error
    return {name: field for name, field in found.items() if name.startswith("tokenizer.")}


class _Fields:
    """Reads fields one after another. struct.error, KeyError or ValueError where there is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = len(_MAGIC)

    def all(self) -> list[tuple[str, Field]]:
        """The fields of the file with their names."""
        _, _, count = (self._number(kind) for kind in "IQQ")
        return [(self._texts(1)[0], self._field()) for _ in range(count)]

    def _field(self) -> Field:
        kind = self._number("I")
        if kind == _STRING:
            return Field(self._texts(1)[0], kind)
        if kind != _ARRAY:
            return Field(self._number(_NUMBERS[kind]), kind)
        inner, count = self._number("I"), self._number("Q")
        if inner == _STRING:
            return Field(self._texts(count), kind, inner)
        numbers = struct.Struct(f"<{count}{_NUMBERS[inner]}")
        value = list(numbers.unpack_from(self._data, self._at))
        self._at += numbers.size
        return Field(value, kind, inner)

    def _number(self, letter: str) -> Any:
        number = struct.Struct("<" + letter)
        (value,) = number.unpack_from(self._data, self._at)
        self._at += number.size
        return value

    def _texts(self, count: int) -> list[str]:
        data, at, found = self._data, self._at, []
        for _ in range(count):
            begin = at + _LENGTH.size
            at = begin + _LENGTH.unpack_from(data, at)[0]
            if at > len(data):
                raise ValueError("the data ends inside a text")
            found.append(data[begin:at].decode("utf-8"))
        self._at = at
        return found
