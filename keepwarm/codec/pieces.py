"""Values inside a JSON text, each copied when it is asked for: most of a long conversation never is.

A copy of every message of every request is not only megabytes to copy: they lie between the few texts that are kept,
and memory that is freed in such pieces is of no use to anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec


class Pieces(Sequence[bytes]):
    """The elements of an array in a text that was decoded, as the bytes that they came in."""

    __slots__ = ("_raws",)

    def __init__(self, raws: Sequence[msgspec.Raw] = ()) -> None:
        self._raws = raws

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[bytes, ...]: ...
    def __getitem__(self, at: int | slice) -> bytes | tuple[bytes, ...]:
        if isinstance(at, slice):
            return tuple(map(bytes, self._raws[at]))
        return bytes(self._raws[at])

    def __iter__(self) -> Iterator[bytes]:
        return map(bytes, self._raws)

    def __len__(self) -> int:
        return len(self._raws)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def lengths(self) -> tuple[int, ...]:
        """Bytes of each."""
        return tuple(map(len, self._raws))
