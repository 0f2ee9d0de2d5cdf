"""A scenario played without a socket: whole lives of requests, and a server whose cache is as good as can be.

Prompts are rendered here, plainly; a token is four characters. What the gateway says of a scenario it says here as it
would of a real server, in milliseconds.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from keepwarm.core.diff import common_prefix
from keepwarm.exchange.commands import (
    Answered,
    Arrived,
    Ask,
    Ended,
    Event,
    HungUp,
    Open,
    Opened,
    Reply,
    Send,
    Take,
    Taken,
    Wait,
    Write,
)
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.life import Life
from keepwarm.ledger.records import Record
from keepwarm.rules.engine import rule_book
from keepwarm.session.journal import Journal
from keepwarm.testing.agent_player import ChatAnswer, MessagesAnswer
from keepwarm.testing.answers import Answer, content_text
from keepwarm.testing.chat_shapes import ChatShape, Counts
from keepwarm.testing.messages_shapes import MessagesShape, as_chat, hoisted
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.scenarios import plan
from keepwarm.testing.scenarios.ideal import IN_COMMON, kept
from keepwarm.testing.scenarios.played import Played, Setting, Step, unlike
from keepwarm.testing.scenarios.scenario import Client, Request, Scenario
from keepwarm.testing.scripted import Exchange
from keepwarm.upstream.api import Outgoing, Traits
from keepwarm.upstream.registry import dialects
from keepwarm.wire.fronts import FRONTS

Json = dict[str, Any]
_SLOTS: Final = 8
_CHARACTERS: Final = 4
"""Of a token."""


def simulate(scenario: Scenario, setting: Setting = Setting()) -> Played:  # noqa: B008 - a frozen value
    """Play `scenario`; whatever it wants of its server, there is one.

    With the rules on it never forgets; where it is only observed it has the latest prompt alone, so that what the
    client does costs what it must.
    """
    simulation = Simulation(scenario, setting)
    for ask in simulation.client.plan.asks:
        simulation.send(ask)
    return simulation.played()


class Simulation:
    """The gateway's shared state and the server's, while a scenario is played."""

    def __init__(self, scenario: Scenario, setting: Setting) -> None:
        self.client = Client(scenario)
        self._setting = setting
        kind = "llamacpp" if setting.mends or scenario.shape == "chat" else "anthropic"
        traits = Traits(kind, _SLOTS)
        manner = Manner(observe=not setting.mends)
        self.keeper = Keeper(kind, dialects(traits), rule_book(), Journal(), manner, _SLOTS)
        hoist = any(one.server == "hoisting" for one in self.client.injections)
        self.server = PerfectServer(self.client, hoist=hoist, forgets=not setting.mends)
        self.lives: list[Life] = []
        """All that were lived, in their order."""
        self._requests: list[Request] = []
        self._records: list[Record] = []
        self._faults: list[str] = []

    def send(self, ask: plan.Ask) -> None:
        """One request, from its beginning to its record."""
        request = self.client.request(ask.number)
        path = request.path.partition("?")[0]
        front = next(front for front in FRONTS.values() if front.path == path)
        headers = {name.lower(): value for name, value in request.headers}
        call = Call(f"{ask.number + 1:024x}", 1_700_000_000.0 + ask.number, headers, request.body)
        life = Life(call, self.keeper, front)
        record, heard = _live(life, self.server, ask.cut)
        self.lives.append(life)
        answer = MessagesAnswer() if self.client.scenario.shape == "messages" else ChatAnswer()
        for event in _events(heard):
            answer.take(event)
        blocks = answer.blocks()
        if record.ending == "failed" or (not ask.cut and unlike(ask.answer, blocks)):
            self._faults.append(f"request {ask.number}: {record.error or 'the client heard another answer'}")
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        signatures = [block.get("signature", "") for block in blocks if block["type"] == "thinking"]
        self.client.hear(ask.number, calls, signatures[-1] if signatures else "")
        self._requests.append(request)
        self._records.append(record)

    def played(self) -> Played:
        """What came of it."""
        exchanges = self.server.exchanges
        steps = tuple(
            Step(request, record, exchange, self._ideal(request.number, exchange))
            for request, record, exchange in zip(self._requests, self._records, exchanges, strict=True)
        )
        cost = sum(exchange.prefilled_tokens for exchange in exchanges)
        return Played(self.client.scenario, self._setting, steps, tuple(self._faults), cost)

    def _ideal(self, number: int, exchange: Exchange) -> int:
        before = self.client.plan.asks[number].before
        held = kept(self.client, number, self.server.exchanges, (0,) * len(self.client.plan.asks))
        if held == IN_COMMON and before is not None:
            first, second = (rendered(json.loads(to_chat(self.client.unfixed(one)))) for one in (before, number))
            held = common_prefix(first, second) // _CHARACTERS
        return max(1, exchange.prompt_tokens - held)


class PerfectServer:
    """Answers by the plan, counts in fours of characters, and has every prompt that it ever read (or the latest)."""

    def __init__(self, client: Client, *, hoist: bool = False, forgets: bool = False) -> None:
        self.exchanges: list[Exchange] = []
        self._script = plan.PlanScript(client.plan)
        self._hoist = hoist
        self._forgets = forgets
        self._held: list[str] = []

    def answer(self, request: Outgoing, cut: int = 0) -> bytes:
        """The whole answer's bytes, streamed; of one that the client cuts, so many pieces."""
        body: Json = json.loads(request.body)
        messages = request.path.startswith("/v1/messages")
        chat = as_chat(body) if messages else body
        chat = hoisted(chat) if self._hoist else chat
        answer = self._script(chat)
        said = answer.begun(cut) if cut else answer
        prompt = rendered(chat)
        text = prompt + _assistant({"content": said.text, "reasoning_content": said.thinking}, said.tool_calls)
        total = len(prompt) // _CHARACTERS
        cached = max((common_prefix(old, prompt) // _CHARACTERS for old in self._held), default=0)
        cached = min(cached, total - 1)
        self._held = [text] if self._forgets else [*self._held, text]
        counts = Counts(cached, total - cached, len(text) // _CHARACTERS - total + 1, 1.0)
        number = len(self.exchanges)
        self.exchanges.append(_exchange(request.body, prompt, counts, len(text) // _CHARACTERS, answer, bool(cut)))
        ids = tuple(f"call{number:04d}k{at}w7x2q9v4b8" for at in range(len(answer.tool_calls)))
        shape = (
            MessagesShape(message_id=f"msg_{number}", model="simulated")
            if messages
            else ChatShape(completion_id=f"chatcmpl-{number}", model="simulated", created=1)
        )
        pieces = list(shape.deltas(answer, ids))
        if cut:
            return shape.start(counts) + b"".join(pieces[:cut])
        return shape.start(counts) + b"".join(pieces) + shape.ending(answer, counts, with_usage=True)


def rendered(chat: Json) -> str:
    """A chat completions body as a prompt: system text, tools, then messages, reasoning and all."""
    rest = list(chat["messages"])
    system = content_text(rest.pop(0)["content"]) if rest and rest[0]["role"] == "system" else ""
    # As llama.cpp does it: a template prints the tools that its own arguments name, not those that may be called.
    tools = (chat.get("chat_template_kwargs") or {}).get("tools", chat.get("tools")) or ()
    text = f"<system>{system}\n" + "".join(f"<tool>{json.dumps(tool)}\n" for tool in tools)
    for message in rest:
        if message["role"] == "assistant":
            calls = [call["function"] for call in message.get("tool_calls") or ()]
            pairs = tuple((call["name"], call["arguments"]) for call in calls)
            text += f"<assistant>{_assistant(message, pairs)}</assistant>\n"
        else:
            text += f"<{message['role']}>{_content(message.get('content'))}</{message['role']}>\n"
    return text + "<assistant>"


def _assistant(message: Json, calls: tuple[tuple[str, str], ...]) -> str:
    thinking = message.get("reasoning_content") or ""
    row = "".join(f"<call>{name} {_printed(arguments)}</call>" for name, arguments in calls)
    return (f"<think>{thinking}</think>" if thinking else "") + content_text(message.get("content")) + row


def _content(content: Any) -> str:
    if isinstance(content, list) and any(part.get("type") != "text" for part in content):
        return json.dumps(content)
    return "".join(part["text"] for part in content) if isinstance(content, list) else content or ""


def _printed(arguments: str) -> str:
    """Arguments as a template prints them: read, and written anew."""
    return json.dumps(json.loads(arguments), ensure_ascii=False)


def _exchange(body: bytes, prompt: str, counts: Counts, held: int, answer: Answer, cut: bool) -> Exchange:
    return Exchange(
        body=body,
        stream=True,
        status=200,
        prompt=prompt,
        prompt_tokens=counts.cached + counts.prefilled,
        cached_tokens=counts.cached,
        prefilled_tokens=counts.prefilled,
        prompt_ms=1.0,
        generated_tokens=counts.generated,
        held_tokens=held,
        fed_tokens=0,
        slot=0,
        answer=answer,
        fault=None,
        cancelled=cut,
    )


def _live(life: Life, server: PerfectServer, cut: int) -> tuple[Record, bytes]:
    """Perform a life: (its record, what the client heard)."""
    steps = life.run()
    waiting: deque[Event] = deque()
    heard: list[bytes] = []
    event: Event | None = None
    while True:
        command = steps.send(event)
        event = None
        match command:
            case Take():
                waiting.append(Taken(0.0))
            case Ask():
                waiting.append(Answered(500, b"", 0.0))
            case Open(request):
                last: Event = HungUp(2.0) if cut else Ended(2.0)
                waiting += (Opened(200, {}, 0.0), Arrived(server.answer(request, cut), 1.0), last)
            case Send(data):
                heard.append(data)
            case Reply(_, _, body):
                heard.append(body)
            case Wait():
                event = waiting.popleft()
            case Write(record):
                return record, b"".join(heard)
            case _:
                pass


def _events(heard: bytes) -> Iterator[Json]:
    for line in heard.split(b"\n"):
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            yield json.loads(line[5:])
