"""What a client changed from request to request, by its own requests; whether the ledger names it, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.testing.accounts import Account, account
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.clients import judge
from tests.clients.stage import Played

Json = dict[str, Any]
LONGER: Final = 1.03
"""How much longer than the plain translation a prompt may be: with the generated arguments, which the client sends back
shortened, and with what is told once more."""
TOLD: Final = ("told in the newest turn", "told where it is loaded")
_SESSION: Final = re.compile(r"session_(?:id)?\W*([0-9a-f-]{36})")


class Asked(msgspec.Struct, frozen=True):
    """One request of the main conversation, as its two ends and the ledger have it."""

    body: Json
    exchange: Exchange
    place: int
    """Of its exchange among all."""
    record: Record


class Edit(msgspec.Struct, frozen=True):
    """Something that the client had sent otherwise before."""

    number: int
    """Of the request, among those of the main conversation."""
    path: str
    """JSON pointer to it in the newer request."""


def main_requests(played: Played) -> list[Asked]:
    """The requests with the agent's tools, which come one after the other; side calls have none, or one."""
    bodies = [body for body in played.bodies if len(body.get("tools") or ()) > 1]
    places = [at for at, one in enumerate(played.exchanges) if len(one.request.get("tools") or ()) > 1]
    records = [record for record in played.records if record.kind == "main"]
    assert len(bodies) == len(places) == len(records)
    row = []
    for body, place, record in zip(bodies, places, records, strict=True):
        exchange = played.exchanges[place]
        counted = (exchange.prompt_tokens, exchange.cached_tokens)
        assert (record.usage.prompt_tokens, record.usage.cached_tokens) == counted
        row.append(Asked(body, exchange, place, record))
    return row


class Change(msgspec.Struct, frozen=True):
    """What one request is expected to have edited, and how the ledger has to name it."""

    paths: tuple[str, ...]
    """All that the client changed, as JSON pointers."""
    code: str
    named: str = ""
    """Where the ledger says that it is, where that is not the first of `paths`."""


def edits(asked: list[Asked]) -> list[Edit]:
    """All that the client changed: each request against the one before it in its session."""
    latest: dict[str, Json] = {}
    found: list[Edit] = []
    for number, one in enumerate(asked):
        session = session_of(one.body)
        if session in latest:
            found += [Edit(number, path) for path in changed(latest[session], one.body)]
        latest[session] = one.body
    return found


def session_of(body: Json) -> str:
    """The session's id as the client writes it into the body."""
    found = _SESSION.search(body["metadata"]["user_id"])
    assert found is not None
    return found[1]


def changed(before: Json, after: Json) -> Iterator[str]:
    """JSON pointers to what `after` says otherwise than `before`, which came before it; not what it adds."""
    for at, (old, new) in enumerate(zip(before["system"], after["system"], strict=True)):
        if old["text"] != new["text"] and not new["text"].startswith(judge.HEADER):
            yield f"/system/{at}/text"
    tools = {tool["name"]: judge.blocks({"content": [tool]}) for tool in before["tools"]}
    for at, tool in enumerate(after["tools"]):
        if tools.get(tool["name"]) != judge.blocks({"content": [tool]}):
            yield f"/tools/{at}"
    assert {tool["name"] for tool in after["tools"]} >= set(tools), "a tool is gone"
    for at, (old, new) in enumerate(zip(before["messages"], after["messages"], strict=False)):
        was, now = judge.blocks(old), judge.blocks(new)
        if at == len(before["messages"]) - 1:
            now = now[: len(was)]  # what is added to the newest message edits nothing
        if was != now:
            yield f"/messages/{at}"
            if at == 0:
                return  # another conversation


async def kept(asked: list[Asked], server: ScriptedServer) -> dict[int, int]:
    """For requests that cannot go on from the one before them, the tokens that both have, by the place of the exchange:
    where the client edited its history, or began another conversation (then that is the head)."""
    row: dict[int, int] = {}
    first = {edit.number: edit.path for edit in reversed(edits(asked)) if edit.path.startswith("/messages/")}
    async with judge.Tokens(server) as tokens:
        for number, one in enumerate(asked):
            begins = number > 0 and not any(message["role"] == "assistant" for message in one.body["messages"])
            if number not in first and not begins:
                continue
            at = int(first.get(number, "/messages/0").split("/")[2])
            common = judge.common_text(asked[number - 1].exchange, one.exchange)
            assert judge.missing(asked[number - 1].body["messages"][:at], common) == []
            row[one.place] = await tokens.count(common)
            assert row[one.place] >= await tokens.of_chat(head(one.body)) / judge.LIMIT
    return row


def head(body: Json) -> Json:
    """A chat completions body with the head of a request alone: without the client's header, and without what old
    clients write into it that changes."""
    blocks = [block for block in body["system"] if not block["text"].startswith(judge.HEADER)]
    texts = [block["text"].split("\nHere is useful information about the environment")[0] for block in blocks]
    alone = {**body, "system": "\n\n".join(texts), "messages": [{"role": "user", "content": "~"}]}
    alone["tools"] = [tool for tool in body["tools"] if not tool.get("defer_loading")]
    return msgspec.json.decode(to_chat(msgspec.json.encode(alone)), type=Json)


async def books_of(played: Played, server: ScriptedServer) -> Account:
    """The account, with what the client's edits of its history allow. A request with one tool is 2.1.39 asking for a
    summary: it has another head than the conversation that it quotes."""
    asked = main_requests(played)
    small = {at: 0 for at, one in enumerate(played.exchanges) if len(one.request.get("tools") or ()) == 1}
    return account(played.exchanges, small | await kept(asked, server))


def assert_named(played: Played, expected: Sequence[Change]) -> None:
    """The client made the edits that it is expected to make, the ledger names them where they were made, and nobody is
    blamed for anything else."""
    asked = main_requests(played)
    found: dict[int, list[str]] = {}
    for edit in edits(asked):
        found.setdefault(edit.number, []).append(edit.path)
    assert [tuple(paths) for paths in found.values()] == [change.paths for change in expected]
    blamed = set()
    for number, change in zip(found, expected, strict=True):
        record = asked[number].record
        assert (change.code, change.named or change.paths[0]) in names(record)
        blamed.add(record.id)
    verdicts = [(one.id, one.verdict) for one in played.records if one.verdict and one.verdict.blame != "nobody"]
    assert [verdict for name, verdict in verdicts if verdict.blame != "client" or name not in blamed] == []


def names(record: Record) -> set[tuple[str, str]]:
    """What the ledger names of a request: (code, place) of all that keepwarm told the model in its newest turn instead
    of parting the prompt, and of what did part it."""
    row = {(note.code, place(note.path)) for note in record.edits if not note.standing and note.note in TOLD}
    if record.verdict is not None and record.verdict.place is not None:
        row |= {(code, place(record.verdict.place.path)) for code in record.verdict.causes[:1]}
    return row


def place(path: str) -> str:
    """A path as far as `changed` tells it."""
    return "/".join(path.split("/")[:3]) if path.startswith("/messages/") else path


def assert_lineages(played: Played) -> None:
    """The requests of each session are one lineage as long as their first message is the same."""
    by_session: dict[str, list[Asked]] = {}
    for one in main_requests(played):
        by_session.setdefault(session_of(one.body), []).append(one)
    for row in by_session.values():
        for before, after in pairwise(row):
            same = judge.blocks(before.body["messages"][0]) == judge.blocks(after.body["messages"][0])
            assert (before.record.lineage == after.record.lineage) == same


def assert_counts_agree(played: Played, books: Account) -> None:
    """The engine's count is that of the exchanges, and of a few tokens for each slot that changed hands."""
    handovers = sum("takes the place" in record.seat.reason for record in played.records if record.seat is not None)
    assert books.requests == len(played.exchanges)
    assert 0 <= judge.engine_cost(played) - books.prefilled <= 4 * handovers


async def assert_nothing_lost(played: Played, server: ScriptedServer, told: Sequence[str]) -> None:
    """Each prompt holds every word of its request's newest turn, and the last one of each session all that the client
    said in it and what it said at its head (`told`); and is about as long as the plain translation."""
    latest: dict[str, Asked] = {}
    for one in main_requests(played):
        assert judge.missing(judge.newest_turn(one.body), one.exchange.prompt) == []
        latest[session_of(one.body)] = one
    async with judge.Tokens(server) as tokens:
        for one in latest.values():
            prompt = one.exchange.prompt
            assert judge.missing(one.body["messages"], prompt) == []
            assert judge.HEADER not in prompt
            assert await tokens.count(prompt) == one.exchange.prompt_tokens
            plain = msgspec.json.decode(
                to_chat(msgspec.json.encode(one.body), hoist=played.cell.template == "strict_system"), type=Json
            )
            plain["chat_template_kwargs"] = {"preserve_thinking": True}
            wanted = await tokens.of_chat(plain)
            assert wanted / LONGER <= one.exchange.prompt_tokens <= LONGER * wanted
    assert [words for words in told if words not in one.exchange.prompt] == []
