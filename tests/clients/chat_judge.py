"""Whether a played cell of an agent with Chat Completions is what it should be; what `judge.py` is for Claude Code.

The yardsticks come from the two ends, the agent's own requests and the engine, never from the gateway between them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from keepwarm.testing.accounts import Account, account, conversation_names
from keepwarm.testing.answers import Answer, content_text
from keepwarm.testing.scripted import ScriptedServer
from tests.clients.judge import LIMIT, Tokens
from tests.clients.stage import Played

Json = dict[str, Any]
_OPENING: Final = 40
"""Characters of a system prompt that tell two kinds of calls of an agent apart."""
_HEADS: Final = ("system", "developer")


def names(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """The conversation of each request: one that quotes the same words below another system prompt is another one."""
    rows = list(bodies)
    first: dict[str, str] = {}
    found = []
    for name, body in zip(conversation_names(rows), rows, strict=True):
        opening = system_text(body)[:_OPENING]
        other = first.setdefault(name, opening) != opening
        found.append(f"{name} below another head, {_short(opening)}" if other else name)
    return found


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def books_of(played: Played) -> Account:
    """What the cell cost, conversation by conversation, and the least that it could have cost."""
    return account(played.exchanges, naming=names)


def bodies_by_name(played: Played) -> dict[str, list[Json]]:
    """The agent's requests, conversation by conversation, in their order."""
    found: dict[str, list[Json]] = {}
    for name, body in zip(names(played.bodies), played.bodies, strict=True):
        found.setdefault(name, []).append(body)
    return found


# Counts and names


def assert_claims(played: Played) -> None:
    """What the agent was told of its tokens is what the engine counted."""
    counted = [(exchange.prompt_tokens, exchange.cached_tokens) for exchange in played.exchanges]
    assert sorted(played.claims) == sorted(counted)


def assert_lineages(played: Played) -> None:
    """Each conversation is one lineage, in however many processes; what a request says of its session is kept."""
    found: dict[str, set[str]] = {}
    # No two requests of these agents overlap, so that bodies, exchanges and records have one order.
    for name, record in zip(names(played.bodies), played.records, strict=True):
        found.setdefault(name, set()).add(record.lineage)
    assert {name: len(lineages) for name, lineages in found.items()} == dict.fromkeys(found, 1)
    said = [headers.get("x-session-id", "") for headers in played.headers]
    assert [record.session for record in played.records] == said


# Nothing lost, nothing made longer


async def assert_nothing_lost(played: Played, server: ScriptedServer) -> None:
    """Each prompt holds every word of its request's newest turn; the last of each conversation holds all that the
    agent said in it, each line of its system prompt, and is about as long as the agent's own request with what it took
    back: that stands."""
    steps = {talk.name: talk.steps for talk in books_of(played).conversations}
    async with Tokens(server) as tokens:
        for name, bodies in bodies_by_name(played).items():
            row = [step.exchange for step in steps[name]]
            for body, exchange in zip(bodies, row, strict=True):
                assert missing(newest_turn(body), exchange.prompt) == []
            body, last = bodies[-1], row[-1]
            assert missing(body["messages"], last.prompt) == []
            assert lines_missing(system_text(body), last.prompt) == []
            wanted = await tokens.of_chat(as_generated(body, played) if played.cell.keep else body)
            taken_back = "\n".join(text for old, new in pairwise(bodies) for _, text in gone(old, new))
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


def rewritten(played: Played) -> list[set[tuple[str, str]]]:
    """For each request, what the agent wrote otherwise than it had been: (rule, JSON pointer)."""
    found: list[set[tuple[str, str]]] = []
    before: dict[str, tuple[Json, int]] = {}
    answers: dict[str, list[Answer | None]] = {}
    for name, body, exchange in zip(names(played.bodies), played.bodies, played.exchanges, strict=True):
        old, seen = before.get(name, (None, 0))
        edits = set(_calls(body, answers.get(name, []), seen))
        if old is not None:
            edits |= {("HIS001", pointer) for pointer, _ in gone(old, body)}
            if system_text(old) != system_text(body):
                edits.add(("VOL004", "/messages/0/content"))
        found.append(edits)
        before[name] = body, len(body["messages"])
        answers.setdefault(name, []).append(exchange.answer)
    return found


def _calls(body: Json, answers: Sequence[Answer | None], seen: int) -> Iterator[tuple[str, str]]:
    """The calls behind the first `seen` messages whose arguments are not what was generated."""
    turns = [place for place, message in enumerate(body["messages"]) if message["role"] == "assistant"]
    for place, answer in zip(turns, answers, strict=False):
        if place < seen or answer is None:
            continue
        calls = body["messages"][place].get("tool_calls") or ()
        for number, (said, generated) in enumerate(zip(calls, answer.tool_calls, strict=True)):
            if said["function"]["arguments"] != generated[1]:
                yield "HIS003", f"/messages/{place}/tool_calls/{number}/function/arguments"


def gone(old: Json, new: Json) -> Iterator[tuple[str, str]]:
    """The texts of old messages that are gone or have other words, each behind its JSON pointer."""
    for place, (was, now) in enumerate(zip(old["messages"], new["messages"], strict=False)):
        words = [text for _, text in texts(now)]
        yield from ((f"/messages/{place}{pointer}", text) for pointer, text in texts(was) if text not in words)


def assert_named(played: Played) -> set[str]:
    """The ledger names each thing that the agent rewrote with its rule and its place, and nobody is to blame for a
    token that was lost: the codes that were named."""
    codes: set[str] = set()
    for record, edits in zip(played.records, rewritten(played), strict=True):
        named = {(edit.code, edit.path) for edit in record.edits if not edit.standing}
        assert edits - named == set()
        codes |= {code for code, _ in edits}
    blamed = [record.verdict for record in played.records if record.verdict and record.verdict.blame != "nobody"]
    assert blamed == []
    return codes
