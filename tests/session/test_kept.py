"""What of a conversation is in the archive: each version of a turn once, for as long as somebody needs it."""

from __future__ import annotations

from keepwarm.core.prompt import Head, Tool
from keepwarm.session.kept import Kept, Used
from keepwarm.session.lineage import HeadState, Standing


def test_a_turn_is_written_once() -> None:
    kept, turn = Kept(b"s"), Standing(b"k", b"w", b"words")
    assert kept.turn(turn) == kept.turn(turn)
    assert len(kept.rows) == 1


def test_an_older_version_goes_when_no_request_has_it() -> None:
    kept = Kept(b"s")
    old, new = Standing(b"k", b"w1", b"words"), Standing(b"k", b"w2", b"words")
    first = kept.turn(old)
    kept.request("r1", b"", Used(1, [first]))
    second = kept.turn(new)
    kept.request("r2", b"", Used(2, [second]))
    kept.tidy({b"k": new})
    assert kept.gone == set()
    kept.drop(["r1"])
    kept.tidy({b"k": new})
    assert kept.gone == {b"request r1", b"turn " + first}


def test_the_large_parts_of_a_head_are_written_once() -> None:
    tools = (Tool("a", "", b"{}", 0), Tool("b", "", b"{}", 1))
    kept, head = Kept(b"s"), HeadState(b"k", Head((), tools), b"system", b"tools", tools[:1])
    again = HeadState(b"k", Head((), tools), b"system", b"tools", tools[:1], asked=b"otherwise")
    assert kept.head(head) == kept.head(again)
    assert [row.name[:5] for row in kept.rows] == [b"head "]
