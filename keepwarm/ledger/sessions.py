"""Sessions and their conversations, from the sums that the file keeps of each conversation (`tallies`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keepwarm.ledger.sums import COLUMNS, Rows, Sums, sums_of
from keepwarm.ledger.tallies import WHO

NO_NAME: Final = "-"
"""How those requests are asked for that belong to no session and no conversation."""
_NAMED: Final = "((session = ? AND session <> '') OR (session = '' AND lineage = ?))"
_SUMMED: Final = ", ".join(f"sum({name}) AS {name}" for name in COLUMNS)
_LINEAGE: Final = (
    "lineage", "kind", "agent", "client", "model", "upstream", "first_at", "last_at", "last_seq",
    "last_prompt_tokens", "last_cause", "last_outcome",
)  # fmt: skip


class SessionSums(msgspec.Struct, frozen=True):
    """One session: all conversations of an agent that was started once."""

    name: str
    """To ask for it by: the session, or its conversation where the client names no session."""
    session: str
    """As the client names it; "" when it names none."""
    client: str
    """Name and version of the newest request's program."""
    model: str
    upstream: str
    first_at: float
    """Unix seconds when its first request came."""
    last_at: float
    place: int
    """Of its newest request, to give as `before` for the page behind it."""
    conversations: int
    last_prompt_tokens: int | None
    """Of the newest request of its main conversation; None when that was not reported."""
    last_cause: str
    """The first cause of that request's verdict; "" when there is none."""
    last_outcome: str
    """That verdict's outcome; "" when there is no verdict."""
    sums: Sums


class SessionPage(msgspec.Struct, frozen=True):
    """Some sessions, the one with the newest request first."""

    sessions: tuple[SessionSums, ...]
    older: int | None
    """What to give as `before` for the next page; None when there is none."""


class ConversationSums(msgspec.Struct, frozen=True):
    """One conversation: a lineage."""

    lineage: str
    parent: str
    """The main conversation that had begun last when a sub-agent or a side call began; "" for a main one."""
    kind: str
    """"main", "subagent" or "side"."""
    agent: str
    client: str
    model: str
    upstream: str
    first_at: float
    last_at: float
    last_prompt_tokens: int | None
    last_cause: str
    last_outcome: str
    sums: Sums


def sessions(ask: Rows, limit: int, before: int | None, since: float, name: str | None = None) -> SessionPage:
    """Up to `limit` sessions of which the newest request is before a place and came at or after `since`."""
    where = f"WHERE {_NAMED}" if name is not None else ""
    values: list[object] = [*_name_values(name)] if name is not None else []
    having = "max(last_at) >= ? AND max(last_seq) < ?"
    values += [since, before if before is not None else 2**63 - 1, limit + 1]
    rows = ask(
        f"SELECT who.*, session, client, model, upstream, last_prompt_tokens, last_cause, last_outcome FROM ("
        f"SELECT {WHO.format('')} AS name, min(first_at), max(last_at), max(last_seq) AS place, count(*), "
        "coalesce(max(CASE kind WHEN 'main' THEN last_seq END), max(last_seq)) AS shown, "
        f"{_SUMMED} FROM lineages {where} GROUP BY 1 HAVING {having} ORDER BY place DESC LIMIT ?"
        ") AS who JOIN lineages ON last_seq = who.shown ORDER BY who.place DESC",
        *values,
    )
    found = tuple(_session(row) for row in rows[:limit])
    return SessionPage(found, found[-1].place if len(rows) > limit and found else None)


def conversations(ask: Rows, name: str) -> tuple[ConversationSums, ...]:
    """The conversations of a session, the one that began first at the front; none when there is no such session."""
    rows = ask(
        f"SELECT {', '.join(_LINEAGE)}, {', '.join(COLUMNS)} FROM lineages WHERE {_NAMED} ORDER BY first_seq",
        *_name_values(name),
    )
    found: list[ConversationSums] = []
    main = ""
    for row in rows:
        held = dict(zip(_LINEAGE, row, strict=False))
        del held["last_seq"]
        parent = "" if held["kind"] == "main" else main
        main = held["lineage"] if held["kind"] == "main" else main
        held |= {"last_cause": held["last_cause"] or "", "last_outcome": held["last_outcome"] or ""}
        found.append(ConversationSums(parent=parent, sums=sums_of(row[len(_LINEAGE) :]), **held))
    return tuple(found)


def _session(row: tuple[Any, ...]) -> SessionSums:
    name, first_at, last_at, place, count, _, *sums = row[: 6 + len(COLUMNS)]
    session, client, model, upstream, tokens, cause, outcome = row[6 + len(COLUMNS) :]
    return SessionSums(
        name or NO_NAME, session, client, model, upstream, first_at, last_at, place, count, tokens, cause or "",
        outcome or "", sums_of(sums),
    )  # fmt: skip


def _name_values(name: str) -> tuple[str, str]:
    key = "" if name == NO_NAME else name
    return key, key
