"""A life as a transcript, after mitmproxy's Playbook: `<<` is what the life asks for, `>>` is what happens to it.

    record = (
        Playbook(request(stream=True))
        << Open
        >> opened(200)
        << Start
        >> arrived(STREAM) << says("message_stop")
        >> ended() << Finish << Write
    ).over()

A life that waits is waiting until the next `>>`; every command is held to `machine.LEGAL`. Time stands still unless
`after(ms)` moves it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any, Self

from keepwarm.exchange import machine
from keepwarm.exchange.commands import (
    Answered,
    Arrived,
    Ask,
    Command,
    Ended,
    Event,
    Fetch,
    Fetched,
    HungUp,
    Lost,
    Open,
    Opened,
    Reply,
    Send,
    Take,
    Taken,
    Tick,
    Wait,
    Write,
)
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.life import Life
from keepwarm.ledger.records import Record
from keepwarm.rules.engine import rule_book
from keepwarm.rules.shelf import Books
from keepwarm.session.archive import Conversation
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import ChatShape, Counts
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialects
from keepwarm.wire.fronts import FRONTS

Happening = Callable[[float], Event]
Expected = Command | type[Command] | Callable[[Any], bool]
Json = dict[str, Any]
_NUMBERS = iter(range(1, 1 << 60))
SHAPE = ChatShape(completion_id="chatcmpl-1", model="tiny", created=1)
COUNTS = Counts(90, 10, 5, 12.5)
"""The numbers of a completion, where a test does not care."""


def request(*messages: Json, stream: bool = True, **fields: Any) -> bytes:
    """A Messages request, of "hi" when nothing else is said."""
    said = list(messages) or [{"role": "user", "content": "hi"}]
    return json.dumps({"model": "local", "stream": stream, "messages": said, **fields}).encode()


def keeper(
    kind: str = "llamacpp",
    *,
    slots: int = 0,
    manner: Manner | None = None,
    rules: Books | None = None,
    journal: Journal | None = None,
    chat: bool = True,
    memory: str = "",
) -> Keeper:
    """The shared state towards one server that nobody has asked yet."""
    traits = Traits(kind, slots, chat=chat)
    rules, journal, manner = rules or rule_book(), journal or Journal(), manner or Manner()
    return Keeper(kind, dialects(traits), rules, journal, manner, slots, memory=memory)


def chat(answer: Answer, *ids: str, counts: Counts = COUNTS) -> bytes:
    """An answer as llama.cpp streams it."""
    call_ids = ids or tuple(f"call{number:028d}x1y2" for number in range(len(answer.tool_calls)))
    deltas = b"".join(SHAPE.deltas(answer, call_ids))
    return SHAPE.role() + deltas + SHAPE.ending(answer, counts, with_usage=True)


def progress(total: int, cached: int, processed: int) -> bytes:
    """How far llama.cpp says a prefill is."""
    return SHAPE.progress({"total": total, "cache": cached, "processed": processed, "time_ms": 10})


def opened(status: int = 200, **headers: str) -> Happening:
    """The server answers with a status."""
    return lambda at: Opened(status, {name.replace("_", "-"): value for name, value in headers.items()}, at, 0.25)


def arrived(data: bytes) -> Happening:
    """Bytes of the answer."""
    return lambda at: Arrived(data, at)


def ended() -> Happening:
    """The answer is complete."""
    return Ended


def lost(reason: str = "reset") -> Happening:
    """The connection broke."""
    return lambda at: Lost(reason, at)


def taken() -> Happening:
    """The slot is held."""
    return Taken


def fetched(*conversations: Conversation) -> Happening:
    """A Fetch is answered."""
    return lambda at: Fetched(conversations, at)


def answered(status: int, body: bytes = b"") -> Happening:
    """An Ask is answered."""
    return lambda at: Answered(status, body, at)


def hung_up() -> Happening:
    """The client is gone."""
    return HungUp


def tick() -> Happening:
    """Nothing happened."""
    return Tick


def says(words: str) -> Callable[[Any], bool]:
    """A Send, or the body of a Reply, that holds these words."""
    return lambda command: (
        words.encode()
        in (command.data if isinstance(command, Send) else b"") + (command.body if isinstance(command, Reply) else b"")
    )


def replies(status: int, words: str = "", **headers: str) -> Callable[[Any], bool]:
    """A Reply with this status, these words and these headers among its own."""
    wanted = {(name.replace("_", "-"), value) for name, value in headers.items()}
    return lambda command: (
        isinstance(command, Reply)
        and command.status == status
        and words.encode() in command.body
        and wanted <= set(command.headers)
    )


def asks(path: str) -> Callable[[Any], bool]:
    """An Open or Ask of this path."""
    return lambda command: getattr(command, "request", None) is not None and command.request.path == path


class Playbook:
    """One life being played."""

    def __init__(
        self,
        body: bytes,
        on: Keeper | None = None,
        headers: Json | None = None,
        query: str = "",
        front: str = "anthropic",
    ) -> None:
        self.keeper = on if on is not None else keeper()
        self.commands: list[Command] = []
        """All that the life has asked for, waiting left out."""
        self.now = 0.0
        number = f"{next(_NUMBERS):024x}"
        call = Call(number, 1_700_000_000.0, headers or {}, body, query)
        self.life = Life(call, self.keeper, FRONTS[front])
        self._steps: Generator[Command, Event | None, None] = self.life.run()
        self._state = machine.State.IDLE
        self._pending: list[Command] = []
        self._waits: Wait | None = None
        self._done = False
        self._advance(None)

    def __lshift__(self, expected: Expected) -> Self:
        assert self._pending, f"the life asks for nothing more, {_name(expected)} is expected"
        command = self._pending.pop(0)
        if isinstance(expected, type):
            assert isinstance(command, expected), f"{command!r} is no {expected.__name__}"
        elif callable(expected):
            assert expected(command), f"not expected: {command!r}"
        else:
            assert command == expected
        return self

    def __rshift__(self, happening: Happening) -> Self:
        assert not self._pending, f"nobody expected {self._pending[0]!r}"
        assert self._waits is not None, "the life does not wait for anything"
        self._advance(happening(self.now))
        return self

    def after(self, milliseconds: float) -> Self:
        """Time goes by."""
        self.now += milliseconds
        return self

    def waits(self, seconds: float) -> Self:
        """The life wants to be told when nothing has happened for so long."""
        assert self._waits == Wait(seconds)
        return self

    def commands_seen(self) -> Self:
        """Pass over every command: the test looks at `commands` itself."""
        self._pending.clear()
        return self

    def skip(self, kind: type[Command]) -> Self:
        """Pass over commands of a kind that are not what a test is about."""
        while self._pending and isinstance(self._pending[0], kind):
            self._pending.pop(0)
        return self

    def answer_with(self, data: bytes) -> Self:
        """Let the life have its slot and its answer; what it asks beside comes to nothing."""
        while not self._done:
            self._pending.clear()
            if isinstance(self.commands[-1], Fetch):
                self >> fetched()
            elif isinstance(self.commands[-1], Take):
                self >> taken()
            elif isinstance(self.commands[-1], Ask):
                self >> answered(500)
            else:
                for happening in (opened(200), arrived(data), ended()):
                    self._pending.clear()
                    self >> happening
        self._pending.clear()
        return self

    def over(self) -> Record:
        """The record of the life, which must have ended."""
        assert not self._pending, f"nobody expected {self._pending[0]!r}"
        assert self._done, "the life has not ended"
        (write,) = [command for command in self.commands if isinstance(command, Write)]
        return write.record

    @property
    def is_over(self) -> bool:
        """Whether the life has ended."""
        return self._done

    def heard(self) -> bytes:
        """All that the client has got."""
        return b"".join(
            command.data if isinstance(command, Send) else command.body
            for command in self.commands
            if isinstance(command, Send | Reply)
        )

    def sent(self) -> Json:
        """The body that went to the server."""
        (opening,) = [command for command in self.commands if isinstance(command, Open)]
        return dict(json.loads(opening.request.body))

    def _advance(self, event: Event | None) -> None:
        self._waits = None
        while True:
            try:
                command = self._steps.send(event)
            except StopIteration:
                self._done = True
                return
            self._state = machine.step(self._state, command)
            if isinstance(command, Wait):
                self._waits = command
                return
            self.commands.append(command)
            self._pending.append(command)
            event = None


def _name(expected: Expected) -> str:
    return expected.__name__ if isinstance(expected, type) else repr(expected)


def play(
    body: bytes, on: Keeper, answer: Answer, *ids: str, headers: Json | None = None, front: str = "anthropic"
) -> Playbook:
    """A whole life in which the server answers at once."""
    return Playbook(body, on, headers, front=front).answer_with(chat(answer, *ids))
