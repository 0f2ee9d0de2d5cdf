"""What a client changed from request to request, by its own requests; whether the ledger names it, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.testing.accounts import Account, account
from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.clients import judge
from tests.clients.stage import Played

Json = dict[str, Any]
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


async def kept(asked: list[Asked], found: list[Edit], server: ScriptedServer) -> dict[int, int]:
    """For requests whose history the client edited: the tokens in front of the edit, by the place of the exchange."""
    row: dict[int, int] = {}
    first = {edit.number: edit for edit in reversed(found) if edit.path.startswith("/messages/")}
    async with judge.Tokens(server) as tokens:
        for number, edit in first.items():
            before, after = asked[number - 1], asked[number]
            common = judge.common_text(before.exchange, after.exchange)
            at = int(edit.path.split("/")[2])
            assert judge.missing(before.body["messages"][:at], common) == []
            assert (
                judge.missing([{"role": "user", "content": block["text"]} for block in head(after.body)], common) == []
            )
            row[after.place] = await tokens.count(common)
    return row


def head(body: Json) -> list[Json]:
    """The system blocks but the client's header, each up to the place where old clients write what changes."""
    blocks = [block for block in body["system"] if not block["text"].startswith(judge.HEADER)]
    return [{"text": block["text"].split("\nHere is useful information about the environment")[0]} for block in blocks]


async def books_of(played: Played, server: ScriptedServer) -> Account:
    """The account, with what the client's edits of its history allow."""
    asked = main_requests(played)
    return account(played.exchanges, await kept(asked, edits(asked), server))


def assert_named(played: Played, expected: list[tuple[str, str]]) -> None:
    """The client made the edits that it is expected to make (code, path), each is named in the ledger of its request,
    and nobody is blamed for anything else."""
    asked = main_requests(played)
    found = edits(asked)
    assert [edit.path for edit in found] == [path for _, path in expected]
    named = set()
    for edit, (code, path) in zip(found, expected, strict=True):
        record = asked[edit.number].record
        assert (code, path) in names(record)
        named.add(record.id)
    blamed = [one for one in played.records if one.verdict is not None and one.verdict.blame != "nobody"]
    assert [
        one.verdict for one in blamed if one.verdict and (one.verdict.blame != "client" or one.id not in named)
    ] == []


def names(record: Record) -> set[tuple[str, str]]:
    """What the ledger names of a request: (code, path) of each edit that keepwarm made for it and did not before, and
    of the place that broke the prefix."""
    row = {(note.code, place(note.path)) for note in record.edits if not note.standing}
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
