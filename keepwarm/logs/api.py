"""What a log says of one request and its answer, whatever wrote the log.

A log file is a row of rows: the lines of JSON Lines, or the elements of one JSON document (`rows.py`). Each row is
recognised by its members and read by its format into an Exchange. Nothing here touches a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

NO_ANSWER: Final = 0
"""The status of a request that was never answered."""
Status: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=999)]
Milliseconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class Exchange(msgspec.Struct, frozen=True):
    """One request and its answer."""

    at: float
    """Unix seconds when the request went out."""
    url: str
    """Where it went: a whole address, or a path where the log says no more."""
    headers: Mapping[str, str] = {}
    """Of the request, names in lower case."""
    body: bytes = b""
    """Of the request; b"" where the log has none."""
    method: str = "POST"
    status: int | None = None
    """None where the log does not say it; NO_ANSWER where there was no answer."""
    answer_headers: Mapping[str, str] = {}
    answer: bytes = b""
    """Body of the answer, a stream of events or JSON; b"" where the log has none."""
    first_byte_ms: float | None = None
    """From the request to the answer's first byte."""
    first_token_ms: float | None = None
    """From the request to the answer's first token: seldom in a log."""
    total_ms: float | None = None

    @property
    def path(self) -> str:
        """The path of its address, without a query, which may hold a key."""
        return urlsplit(self.url).path

    @property
    def host(self) -> str:
        """The server's name; "" where the log does not say it."""
        return urlsplit(self.url).hostname or ""

    @property
    def ends(self) -> float:
        """Unix seconds when the answer was whole; when it began, where the log does not say that."""
        return self.at + (self.total_ms or self.first_byte_ms or 0.0) / 1000


class Unreadable(ValueError):
    """A row is no exchange; the text says why, and quotes nothing of it."""


class Format(Protocol):
    """How one program writes an exchange down."""

    @property
    def name(self) -> str:
        """What it is called in a report."""

    @property
    def shape(self) -> str:
        """What a row looks like, for an error."""

    def knows(self, row: Mapping[str, msgspec.Raw]) -> bool:
        """Whether a row, by its members, is of this format."""

    def read(self, row: bytes) -> Exchange:
        """The exchange in a row. Raises Unreadable, and what `json_text.UNREADABLE` lists."""


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}
