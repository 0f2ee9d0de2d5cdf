"""The first fields of a GGUF file: what a model is, without its tokenizer and its weights.

Layout (ggml's docs/gguf.md): "GGUF", version, number of tensors, number of fields; then each field as a length and a
name, a type and a value, all little-endian. Converters write the architecture first and the tokenizer after it, so
the first kilobytes are enough.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

Value: TypeAlias = int | float | bool | str | list["Value"]

ENOUGH: Final = 1 << 16
"""Bytes of a file that hold its architecture: a few dozen short fields, some with a number for each layer."""
_MAGIC: Final = b"GGUF"
_STRING: Final = 8
_ARRAY: Final = 9
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def fields(data: bytes) -> dict[str, Value]:
    """The fields in front of the tokenizer's, as far as `data` reaches; empty for anything that is no GGUF."""
    found: dict[str, Value] = {}
    if not data.startswith(_MAGIC):
        return found
    reader = _Reader(data, len(_MAGIC))
    try:
        version, _, count = (reader.number(kind) for kind in "IQQ")
        if not 2 <= version <= 16:  # version 1 had shorter lengths; a great number is a file in the other byte order
            return found
        for _ in range(int(count)):
            name = reader.string()
            if name.startswith("tokenizer."):
                break
            found[name] = reader.value(int(reader.number("I")))
    except (struct.error, ValueError, KeyError):
        # The data ends here, or is something else: what was read before stands.
        pass
    return found


class _Reader:
    """Reads values one after another. struct.error, ValueError or KeyError where there is none."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, kind: str) -> int | float | bool:
        (value,) = struct.unpack_from("<" + kind, self._data, self._at)
        self._at += struct.calcsize("<" + kind)
        number: int | float | bool = value
        return number

    def string(self) -> str:
        end = int(self.number("Q")) + self._at
        if end > len(self._data):
            raise ValueError("the data ends inside a string")
        text, self._at = self._data[self._at : end].decode("utf-8"), end
        return text

    def value(self, kind: int) -> Value:
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.number(_NUMBERS[kind])
        inner, count = int(self.number("I")), int(self.number("Q"))
        if inner == _ARRAY:
            raise ValueError("an array of arrays")
        if count > len(self._data):
            raise ValueError("the data ends inside an array")
        return [self.value(inner) for _ in range(count)]
