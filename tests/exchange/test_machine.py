"""The table of legal commands."""

from __future__ import annotations

import pytest

from keepwarm.exchange.commands import Close, Command, Finish, Reply, Send, Start, Wait, Write
from keepwarm.exchange.machine import LEGAL, IllegalCommand, State, step
from keepwarm.ledger.records import Record

RECORD = Record("1", 0.0, "anthropic", "", "", "", "", "", "", 0, "", "", False, 0, "done")


def walk(*commands: Command) -> State:
    state = State.IDLE
    for command in commands:
        state = step(state, command)
    return state


START, SEND, REPLY, WRITE = Start(200, ()), Send(b"x"), Reply(200, (), b""), Write(RECORD)


@pytest.mark.parametrize(
    ("commands", "state"),
    [
        ((START, SEND, SEND, Finish(), WRITE), State.CLOSED),
        ((Wait(1.0), REPLY, Close(), WRITE), State.CLOSED),
        ((START, Close(), WRITE), State.CLOSED),
        ((WRITE,), State.CLOSED),
        ((START, SEND), State.OPEN),
    ],
)
def test_legal_walks(commands: tuple[Command, ...], state: State) -> None:
    assert walk(*commands) == state


@pytest.mark.parametrize(
    "commands",
    [
        (SEND,),
        (Finish(),),
        (START, START),
        (START, REPLY),
        (REPLY, SEND),
        (REPLY, REPLY),
        (START, Finish(), SEND),
        (WRITE, WRITE),
        (WRITE, Close()),
        (REPLY, Wait(1.0)),
    ],
)
def test_illegal_walks(commands: tuple[Command, ...]) -> None:
    with pytest.raises(IllegalCommand, match=r"is not legal when the answer is (idle|open|done|closed)"):
        walk(*commands)


def test_nothing_follows_a_record_and_every_state_can_be_left_for_it() -> None:
    assert not [state for state, _ in LEGAL if state is State.CLOSED]
    assert all((state, Write) in LEGAL for state in State if state is not State.CLOSED)
