"""Turns that are taken over: the same as if every message had been looked at."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.codec.pieces import Pieces
from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import Head, Options
from keepwarm.errors import BadJson
from keepwarm.exchange.turns import TurnMaker, Turns
from keepwarm.rules.engine import rule_book
from keepwarm.session.journal import Facts, Journal
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Trail
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialect
from keepwarm.wire.fronts import FRONTS

KEY = GroupKey("session", "", b"shape")
HEAD = HeadState(b"head", Head(), b"", b"")


class Teller:
    """Tells a journal one request after another; `takes_over` as the gateway does it, else with every turn anew."""

    def __init__(self, kind: str = "llamacpp", *, takes_over: bool = True) -> None:
        self.journal = Journal()
        self._dialect = dialect(Traits(kind))
        self._takes_over = takes_over

    def tell(self, *messages: dict[str, Any]) -> Turns:
        """The turns of a request, which is answered."""
        raws = Pieces([msgspec.Raw(json.dumps(message).encode()) for message in messages])
        group = self.journal.group(KEY)
        front = FRONTS["anthropic"]
        turns = TurnMaker(
            self.journal, rule_book(), self._dialect, front, group, Pieces([msgspec.Raw(raw) for raw in raws])
        ).run()
        self.journal.stand(group, turns.lineage, turns.fresh, HEAD)
        trail = turns.trail if self._takes_over else Trail(turns.trail.wires)
        self.journal.sent(KEY, turns.lineage, Sent("record", turns.keys, HEAD, Options("m"), trail=trail))
        return turns


def user(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text, **fields}]}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


NOTHING = {"role": "system", "content": []}


def seen(turns: Turns) -> tuple[Any, ...]:
    """All that is to be the same.

    Whether a turn is fresh is not: on the byte path a turn that reads the same may have stood in two shapes, and what
    is taken over is the one of the request before, where a look-up finds the latest.
    """
    steps = [
        (
            step.end,
            step.role,
            step.turn.key,
            step.turn.chunk or step.turn.raw,
            step.said,
            step.size,
            step.told,
            step.loads,
        )
        for step in turns.trail.steps
    ]
    return turns.keys, turns.lineage.id, turns.trail.wires, steps


@st.composite
def conversations(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Requests of one conversation: each goes on from some earlier one, cut anywhere, a mark at its end or not."""
    word = st.sampled_from("ab")
    message = st.one_of(word.map(user), word.map(system), word.map(assistant), st.just(NOTHING))
    requests: list[list[dict[str, Any]]] = [[user("a")]]
    for _ in range(draw(st.integers(1, 6))):
        before = draw(st.sampled_from(requests))
        kept = before[: draw(st.integers(1, len(before)))]
        requests.append([*kept, *draw(st.lists(message, max_size=4))])
    marks = draw(st.lists(st.booleans(), min_size=len(requests), max_size=len(requests)))
    return [
        [*request[:-1], user("z", cache_control={"type": "ephemeral"})] if mark and len(request) > 1 else request
        for request, mark in zip(requests, marks, strict=True)
    ]


@pytest.mark.parametrize("kind", ["llamacpp", "anthropic"])
@given(requests=conversations())
def test_turns_that_are_taken_over_are_the_turns_that_would_be_made(
    kind: str, requests: list[list[dict[str, Any]]]
) -> None:
    quick, slow = Teller(kind), Teller(kind, takes_over=False)
    for messages in requests:
        one, other = quick.tell(*messages), slow.tell(*messages)
        if any(step.otherwise for turns in (one, other) for step in turns.trail.steps):
            # Of several versions of a turn that say loosely the same, each request goes on with the one it was read in.
            return
        assert seen(one) == seen(other)
        if kind == "llamacpp":
            assert (one.trail, one.fresh, one.notes) == (other.trail, other.fresh, other.notes)


def test_what_is_repeated_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    teller = Teller()
    first = [user("one"), assistant("two"), user("three"), assistant("four"), user("five")]
    teller.tell(*first)
    journal = teller.journal
    asked: list[bytes] = []
    facts = journal.facts

    def listen(wire: bytes) -> Facts | None:
        asked.append(wire)
        return facts(wire)

    monkeypatch.setattr(journal, "facts", listen)
    again = teller.tell(*first, assistant("six"), user("seven"))
    # The first turn finds the conversation; the last that was sent might have been lengthened.
    assert set(asked).isdisjoint(again.trail.wires[2:4])
    assert len(again.fresh) == 2


def test_a_turn_that_another_message_lengthens_is_made_anew() -> None:
    teller = Teller()
    teller.tell(user("one"), assistant("two"), user("three"))
    longer = teller.tell(user("one"), assistant("two"), user("three"), system("four"))
    assert b"four" in longer.trail.steps[-1].turn.chunk
    assert [turn.key for turn in longer.fresh] == [longer.keys[-1]]


def test_what_stands_is_summed_up_by_rule() -> None:
    teller = Teller()
    call = Call("toolu_01ABCDEFGHJKLMNPQRST", "", "Bash", '{"command": "ls", "timeout": 5.0}')
    teller.journal.answers.remember(KEY, Answer(calls=(call,)))
    used = {"type": "tool_use", "id": call.id, "name": "Bash", "input": {"timeout": 5, "command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "3 files"}
    messages = [user("one"), system("first"), {"role": "assistant", "content": [used]}]
    messages += [{"role": "user", "content": [result]}, system("second")]
    made = teller.tell(*messages)
    assert {(note.code, note.standing, note.count) for note in made.notes} == {
        ("ROL001", False, 1),
        ("HIS003", False, 1),
    }
    assert len(made.notes) == 3
    later = teller.tell(*messages, assistant("three"), user("four"), system("third"))
    told = {(note.code, note.standing): note for note in later.notes}
    assert told.keys() == {("ROL001", False), ("ROL001", True), ("HIS003", True)}
    both = [note for note in made.notes if note.code == "ROL001"]
    stands = told["ROL001", True]
    assert (stands.count, stands.path) == (2, "")
    assert stands.added == sum(note.added for note in both)
    assert told["HIS003", True].count == 1


def test_a_turn_that_says_nothing_goes_nowhere_and_parts_nothing() -> None:
    teller = Teller()
    without = teller.tell(user("one"), assistant("two"), user("three"))
    turns = teller.tell(user("one"), assistant("two"), user("three"), assistant("four"), NOTHING)
    assert turns.keys[:3] == without.keys
    assert len(turns.keys) == 4
    assert turns.trail.steps[-1].turn.chunk == b""
    assert turns.trail.steps[-1].said == 4


def test_a_message_that_cannot_be_read_is_told_by_its_place() -> None:
    teller = Teller()
    teller.tell(user("one"), assistant("two"), user("three"))
    with pytest.raises(BadJson) as error:
        teller.tell(user("one"), assistant("two"), user("three"), {"role": "judge", "content": "four"})
    assert error.value.path.startswith("/messages/3")
