"""Values inside a JSON text, each copied when it is asked for: most of a long conversation never is.

A copy of every message of every request is not only megabytes to copy: they lie between the few texts that are kept,
and memory that is freed in such pieces is of no use to anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec


class Pieces(Sequence[bytes]):
    """The elements of an array in a text that was decoded, as the bytes that they came in.

    raws   each as it was decoded, or where it stands in `body`
    wires  the digests of the first of them, where they are known from an earlier text
    """

    __slots__ = ("_body", "_raws", "wires")

    def __init__(
        self, raws: Sequence[msgspec.Raw | slice] = (), body: bytes = b"", wires: tuple[bytes, ...] = ()
    ) -> None:
        self._raws = raws
        self._body = body
        self.wires = wires

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[bytes, ...]: ...
    def __getitem__(self, at: int | slice) -> bytes | tuple[bytes, ...]:
        if isinstance(at, slice):
            return tuple(map(self._copy, self._raws[at]))
        return self._copy(self._raws[at])

    def __iter__(self) -> Iterator[bytes]:
        return map(self._copy, self._raws)

    def __len__(self) -> int:
        return len(self._raws)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def behind(self, count: int) -> Pieces:
        """All but the first `count`."""
        return Pieces(self._raws[count:], self._body, self.wires[count:]) if count else self

    def lengths(self) -> tuple[int, ...]:
        """Bytes of each."""
        return tuple([raw.stop - raw.start if isinstance(raw, slice) else len(raw) for raw in self._raws])

    def _copy(self, raw: msgspec.Raw | slice) -> bytes:
        return self._body[raw] if isinstance(raw, slice) else bytes(raw)
