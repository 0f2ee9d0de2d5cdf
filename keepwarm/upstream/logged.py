"""A server of which only a log is left: its answers are read as they were written down.

What was asked for as a stream may stand in a log as one body, and an answer may be missing. An answer that is not in
the log is not a broken one: nothing is known of it, and nothing is what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from keepwarm.core.events import Event, Failed, Finished, Started
from keepwarm.core.prompt import SystemBlock, Tool, Turn
from keepwarm.upstream.api import Dialect, Draft, Outgoing, Reader

Heard: TypeAlias = Literal["whole", "cut", "nothing"]
"""How much of an answer is in a log: all of it, its beginning, or nothing that can be read."""


class Logged(msgspec.Struct, frozen=True):
    """A dialect whose answers come from a log."""

    inner: Dialect
    """The server's own."""

    @property
    def name(self) -> str:
        """The kind of server."""
        return self.inner.name

    @property
    def protocol(self) -> str:
        """What is spoken to it."""
        return self.inner.protocol

    @property
    def same_protocol(self) -> bool:
        """Whether that is the client's."""
        return self.inner.same_protocol

    @property
    def quiet_tools(self) -> bool:
        """Whether it offers tools that the template does not print."""
        return self.inner.quiet_tools

    @property
    def drops_thinking(self) -> bool:
        """Whether its template drops earlier reasoning."""
        return self.inner.drops_thinking

    def read(self, text: str) -> str:
        """A text of the system prompt as it comes into the server's prompt."""
        return self.inner.read(text)

    def marks(self, body: bytes) -> bool:
        """Whether a client's newest bytes count."""
        return self.inner.marks(body)

    def system(self, blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
        """The system prompt as upstream text."""
        return self.inner.system(blocks, original)

    def tools(self, tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
        """The tools as upstream text."""
        return self.inner.tools(tools, original)

    def turn(self, turn: Turn, original: Turn) -> bytes:
        """A turn as upstream text."""
        return self.inner.turn(turn, original)

    def request(self, draft: Draft) -> Outgoing:
        """The whole request."""
        return self.inner.request(draft)

    def reader(self, stream: bool) -> LoggedReader:
        """For an answer, as it stands in the log."""
        return LoggedReader(self.inner, stream)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """What an error answer means."""
        return self.inner.failure(status, headers, body)


class LoggedReader:
    """Reads one answer that comes in one piece, if at all."""

    def __init__(self, dialect: Dialect, stream: bool) -> None:
        self._dialect = dialect
        self._stream = stream
        self._reader: Reader | None = None
        self.said = False
        """Whether anything could be read."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        if self._reader is None:
            whole = data.lstrip()[:1] in (b"{", b"[")
            self._reader = self._dialect.reader(False if whole else self._stream or data.strip() != b"")
        return self._noted(self._reader.feed(data))

    def finish(self) -> list[Event]:
        """What is left. Where nothing could be read, an answer of which nothing is known."""
        events = self._noted(self._reader.finish()) if self._reader is not None else []
        return events if self.said else [Finished("")]

    def _noted(self, events: list[Event]) -> list[Event]:
        self.said = self.said or not all(_says_nothing(event) for event in events)
        return events


def heard(dialect: Dialect, stream: bool, answer: bytes) -> Heard:
    """How much of the answer to a request, that wanted a stream or not, is there."""
    reader = LoggedReader(dialect, stream)
    events = (*reader.feed(answer), *reader.finish()) if answer else ()
    if not reader.said:
        return "nothing"
    return "cut" if _is_broken(events[-1]) else "whole"


def _says_nothing(event: Event) -> bool:
    return _is_broken(event) or (isinstance(event, Started) and not event.id)


def _is_broken(event: Event) -> bool:
    return isinstance(event, Failed) and event.kind == "broken"
