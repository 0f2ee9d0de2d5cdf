"""Whether a played cell of an agent with Chat Completions is what it should be; what `judge.py` is for Claude Code.

The yardsticks come from the two ends, the agent's own requests and the engine, never from the gateway between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.testing.accounts import Account, account, conversation_names
from keepwarm.testing.answers import content_text
from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.clients.judge import LIMIT, Tokens, common_text
from tests.clients.stage import Played

Json = dict[str, Any]
_OPENING: Final = 40
"""Characters of a system prompt that tell two kinds of calls of an agent apart."""
_HEADS: Final = ("system", "developer")
_REMINDER: Final = "<system-reminder>"


class Talk(msgspec.Struct, frozen=True):
    """One conversation, from both ends: all three have its requests in their order."""

    bodies: tuple[Json, ...]
    """As the agent sent them."""
    exchanges: tuple[Exchange, ...]
    """As they reached the server."""
    records: tuple[Record, ...]
    """As the ledger has them; none where the gateway only translated."""

    def before(self, at: int) -> int | None:
        """The request that number `at` goes on from: of those that it takes back the least of, the longest."""
        return min(range(at), key=lambda one: (sum(1 for _ in self.gone(one, at)), -one), default=None)

    def gone(self, old: int, new: int) -> Iterator[tuple[str, str]]:
        """The texts of an older request that are gone or have other words, each behind its JSON pointer."""
        rows = zip(self.bodies[old]["messages"], self.bodies[new]["messages"], strict=False)
        for place, (was, now) in enumerate(rows):
            words = [text for _, text in texts(now)]
            yield from ((f"/messages/{place}{pointer}", text) for pointer, text in texts(was) if text not in words)


def talks_of(played: Played) -> list[Talk]:
    """The conversations of a cell. Each must be one lineage in the ledger, in however many processes it was held."""
    bodies: dict[str, list[Json]] = {}
    for name, body in zip(names(played.bodies), played.bodies, strict=True):
        bodies.setdefault(name, []).append(body)
    books = account(played.exchanges, naming=names)
    rows = {one.name: tuple(step.exchange for step in one.steps) for one in books.conversations}
    lineages: dict[str, list[Record]] = {}
    for record in played.records if played.cell.keep else ():
        lineages.setdefault(record.lineage, []).append(record)
    known = {tuple(record.usage.prompt_tokens for record in records): records for records in lineages.values()}
    counts = {name: tuple(exchange.prompt_tokens for exchange in row) for name, row in rows.items()}
    assert {name: len(row) for name, row in rows.items()} == {name: len(row) for name, row in bodies.items()}
    assert not played.cell.keep or set(known) == set(counts.values())
    return [Talk(tuple(bodies[name]), row, tuple(known.get(counts[name], ()))) for name, row in rows.items()]


def names(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """The conversation of each request: one that quotes the same words below another system prompt is another one."""
    rows = list(bodies)
    heads: dict[str, list[str]] = {}
    found = []
    for name, body in zip(conversation_names(rows), rows, strict=True):
        opening = system_text(body)[:_OPENING]
        known = heads.setdefault(name, [])
        if opening not in known:
            known.append(opening)
        number = known.index(opening)
        found.append(f"{name}, head {number + 1}" if number else name)
    return found


# Counts


async def books_of(played: Played, server: ScriptedServer) -> Account:
    """What the cell cost, conversation by conversation, and the least that it could have cost.

    A request that goes on from an older one than the last, or takes something back, can only use what stands in front.
    """
    kept: dict[int, int] = {}
    async with Tokens(server) as tokens:
        for talk in talks_of(played) if played.cell.keep else ():
            for at, exchange in enumerate(talk.exchanges):
                before = talk.before(at)
                if before is None:
                    continue
                if any(not text.startswith(_REMINDER) for _, text in talk.gone(before, at)):
                    common = common_text(talk.exchanges[before], exchange)
                    kept[played.exchanges.index(exchange)] = await tokens.count(common)
                elif before != at - 1:
                    kept[played.exchanges.index(exchange)] = talk.exchanges[before].held_tokens
    return account(played.exchanges, kept, names)


def assert_walked(played: Played) -> None:
    """The session went its whole way, each request was answered, and the agent was told what the engine counted."""
    assert played.faults == ()
    assert set(played.statuses) == {200}
    assert [exchange for exchange in played.exchanges if exchange.status != 200 or exchange.cancelled] == []
    assert len(played.bodies) == len(played.statuses) == len(played.exchanges)
    counted = sorted((exchange.prompt_tokens, exchange.cached_tokens) for exchange in played.exchanges)
    assert sorted(played.claims) == counted
    if played.cell.keep:
        assert sorted((one.usage.prompt_tokens, one.usage.cached_tokens) for one in played.records) == counted
        sessions = [headers.get("x-session-id", "") for headers in played.headers]
        assert sorted(record.session for record in played.records) == sorted(sessions)


# Nothing lost, nothing made longer


async def assert_nothing_lost(played: Played, server: ScriptedServer) -> None:
    """Each prompt holds every word of its request's newest turn; the last of each conversation holds all that the
    agent said in it, each line of its system prompt, and is about as long as the agent's own request with what it took
    back: that stands."""
    async with Tokens(server) as tokens:
        for talk in talks_of(played):
            for body, exchange in zip(talk.bodies, talk.exchanges, strict=True):
                assert missing(newest_turn(body), exchange.prompt) == []
            body, last = talk.bodies[-1], talk.exchanges[-1]
            assert missing(body["messages"], last.prompt) == []
            assert lines_missing(system_text(body), last.prompt) == []
            wanted = await tokens.of_chat(as_generated(body, played) if played.cell.keep else body)
            requests = range(len(talk.bodies))
            taken_back = "\n".join(text for old, new in pairwise(requests) for _, text in talk.gone(old, new))
            most = wanted + (await tokens.count(taken_back) if played.cell.keep else 0)
            assert wanted / LIMIT <= last.prompt_tokens <= LIMIT * most


def as_generated(body: Json, played: Played) -> Json:
    """An agent's request as the model should read it: all thinking kept, arguments as they were generated."""
    calls = [call for exchange in played.exchanges if exchange.answer for call in exchange.answer.tool_calls]
    generated = {(name, _loosely(arguments)): arguments for name, arguments in calls}
    messages = json.loads(json.dumps(body["messages"]))
    for function in (call["function"] for message in messages for call in message.get("tool_calls", ())):
        function["arguments"] = generated[function["name"], _loosely(function["arguments"])]
    return {**body, "messages": messages, "chat_template_kwargs": {"preserve_thinking": True}}


def _loosely(arguments: str) -> str:
    return json.dumps(json.loads(arguments), sort_keys=True)


def newest_turn(body: Json) -> list[Json]:
    """The messages behind the last answer."""
    messages: list[Json] = body["messages"]
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages


def missing(messages: Sequence[Json], prompt: str) -> list[str]:
    """The texts of users and tools that do not stand in `prompt` word for word."""
    return [text for message in messages for _, text in texts(message) if text.strip() not in prompt]


def lines_missing(text: str, prompt: str) -> list[str]:
    """The lines that do not stand in `prompt`: a rule may move a section of the system prompt."""
    return [line for line in text.split("\n") if line.strip() and line.strip() not in prompt]


def texts(message: Json) -> Iterator[tuple[str, str]]:
    """Each text of a user or a tool, behind its JSON pointer below the message."""
    if message["role"] not in ("user", "tool"):
        return
    content = message["content"]
    if isinstance(content, str):
        yield "/content", content
    else:
        yield from ((f"/content/{place}", part["text"]) for place, part in enumerate(content) if "text" in part)


def system_text(body: Mapping[str, Any]) -> str:
    """All that stands in front of the conversation."""
    return "\n".join(content_text(one.get("content")) for one in body["messages"] if one["role"] in _HEADS)


# What the agent rewrote


def rewritten(talk: Talk, at: int) -> set[tuple[str, str]]:
    """What the agent wrote otherwise in request number `at` than it had been: (rule, JSON pointer)."""
    before = talk.before(at)
    if before is None:
        return set()
    found = set(_calls(talk, before, at))
    for pointer, text in talk.gone(before, at):
        found.add(("HIS001" if text.startswith(_REMINDER) else "HIS005", pointer))
    if system_text(talk.bodies[before]) != system_text(talk.bodies[at]):
        found.add(("VOL004", "/messages/0/content"))
    return found


def _calls(talk: Talk, before: int, at: int) -> Iterator[tuple[str, str]]:
    """The calls of the answer to request number `before`, where they come back with other arguments."""
    answer, place = talk.exchanges[before].answer, len(talk.bodies[before]["messages"])
    echo = talk.bodies[at]["messages"][place : place + 1]
    calls = echo[0].get("tool_calls") or () if echo else ()
    for number, (said, generated) in enumerate(zip(calls, answer.tool_calls if answer else (), strict=False)):
        if said["function"]["arguments"] != generated[1]:
            yield "HIS003", f"/messages/{place}/tool_calls/{number}/function/arguments"


def assert_named(played: Played) -> set[str]:
    """The ledger names each thing that the agent rewrote with its rule and its place, blames the agent for what it took
    back and nobody for anything else: the codes that were named."""
    codes: set[str] = set()
    for talk in talks_of(played):
        for at, record in enumerate(talk.records):
            verdict, edits = record.verdict, rewritten(talk, at)
            assert verdict is not None
            named = {(edit.code, edit.path) for edit in record.edits if not edit.standing}
            if verdict.blame != "nobody":
                assert (verdict.blame, verdict.causes[:1]) == ("client", ("HIS005",))
                assert verdict.place is not None
                named.add(("HIS005", verdict.place.path))
            assert edits - named == set()
            assert any(code == "HIS005" for code, _ in edits) == (verdict.blame == "client")
            codes |= {code for code, _ in edits}
    return codes
