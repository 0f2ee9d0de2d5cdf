"""What the writers of all protocols share: the answer that they keep while they tell it.

Each has the methods of `keepwarm.wire.api.Writer`; all of them take the same events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from keepwarm.core.answer import Answer, AnswerCollector
from keepwarm.core.events import Diagnosis, Event, Failed, Finished, Usage

Mint: TypeAlias = Callable[[int], str]
"""Makes the id of the tool call with this number, from 0."""
Body: TypeAlias = Callable[[AnswerCollector, Finished, Diagnosis | None], bytes]
"""The JSON body for an answer, how it ended, and what the client is told of its cache."""


class AnswerWriter:
    """Keeps the answer.

    mint  for tool calls whose ids from the server do not stay unique; None where the client gets the server's own
          bytes and this writer only keeps the answer
    body  makes the answer's one JSON body
    """

    def __init__(self, mint: Mint | None, body: Body) -> None:
        self._collector = AnswerCollector(mint)
        self._body = body
        self._finished = Finished("")
        self._diagnosis: Diagnosis | None = None

    @property
    def answer(self) -> Answer:
        """The answer so far, with the ids that the client got."""
        return self._collector.answer

    @property
    def usage(self) -> Usage:
        """What the server has reported so far."""
        return self._collector.usage

    def whole(self) -> bytes:
        """The answer as one JSON body, when the events have ended in Finished."""
        return self._body(self._collector, self._finished, self._diagnosis)


class StreamWriter(AnswerWriter):
    """Core events in, the bytes of a stream out; each protocol has its own `_tell`.

    ping   what keeps the connection alive, legal at any time before the end
    error  makes the event that tells of a failure
    """

    def __init__(self, mint: Mint | None, body: Body, ping: bytes, error: Callable[[Failed], bytes]) -> None:
        super().__init__(mint, body)
        self._ping = ping
        self._error = error
        self._listens = mint is None
        self._ended = False

    def ping(self) -> bytes:
        """Something that keeps the connection alive; b"" behind the end."""
        return b"" if self._ended else self._ping

    def fail(self, failed: Failed) -> bytes:
        """The event of an error, after which nothing more is said."""
        if self._ended:
            return b""
        self._ended = True
        self._collector.feed(failed)
        return self._error(failed)

    def feed(self, event: Event) -> bytes:
        """The bytes that tell the client of `event`; b"" when there is nothing to tell yet."""
        if self._ended:
            return b""
        if self._listens:
            self._collector.feed(event)
            self._ended = isinstance(event, Finished)
            return b""
        if isinstance(event, Failed):
            return self.fail(event)
        if isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Diagnosis):
            self._diagnosis = event
        said = self._tell(event)
        self._ended = isinstance(event, Finished)
        return said

    def _tell(self, event: Event) -> bytes:
        """The bytes for an event; takes it into the collector."""
        raise NotImplementedError


class BodyWriter(AnswerWriter):
    """Core events in, one JSON body out when they have ended (`stream: false`).

    error  makes (HTTP status, JSON body) of a failure
    """

    def __init__(self, mint: Mint | None, body: Body, error: Callable[[int, str, str], tuple[int, bytes]]) -> None:
        super().__init__(mint, body)
        self._error = error

    def ping(self) -> bytes:
        """White space, which JSON allows before its value."""
        return b" "

    def fail(self, failed: Failed) -> bytes:
        """The error's JSON body, for when the headers have gone already."""
        self._collector.feed(failed)
        return self._error(failed.status, failed.kind, failed.message)[1]

    def feed(self, event: Event) -> bytes:
        """Always b"": see `whole`."""
        self._collector.feed(event)
        if isinstance(event, Finished):
            self._finished = event
        elif isinstance(event, Diagnosis):
            self._diagnosis = event
        return b""
