"""Which command may follow which: the answer to a client as a table (after h11's `_state.py`).

    IDLE --Start--> OPEN --Send*--> OPEN --Finish--> DONE --Write--> CLOSED
    IDLE --Reply--> DONE
    IDLE, OPEN --Write--> CLOSED   the client hung up: nobody is left to answer

Fetch concerns the ledger and comes first, if at all. Take, Open, Ask, Wait and Close concern the server, Tell whoever
watches: Take and Open once, the others at any time before Write. The shell holds every life to this table, so that a
mistake in a life is an error here and not a broken answer to a client.
"""

from __future__ import annotations

import enum
from typing import Final

from keepwarm.errors import KeepwarmError
from keepwarm.exchange.commands import (
    Ask,
    Close,
    Command,
    Fetch,
    Finish,
    Open,
    Reply,
    Send,
    Start,
    Take,
    Tell,
    Wait,
    Write,
)


class State(enum.Enum):
    """How far the answer to the client has come."""

    IDLE = "idle"
    OPEN = "open"
    DONE = "done"
    CLOSED = "closed"


LEGAL: Final[dict[tuple[State, type[Command]], State]] = {
    (State.IDLE, Fetch): State.IDLE,
    (State.IDLE, Take): State.IDLE,
    (State.IDLE, Open): State.IDLE,
    (State.IDLE, Ask): State.IDLE,
    (State.IDLE, Wait): State.IDLE,
    (State.IDLE, Close): State.IDLE,
    (State.IDLE, Start): State.OPEN,
    (State.IDLE, Reply): State.DONE,
    (State.IDLE, Write): State.CLOSED,
    (State.OPEN, Take): State.OPEN,
    (State.OPEN, Open): State.OPEN,
    (State.OPEN, Ask): State.OPEN,
    (State.OPEN, Wait): State.OPEN,
    (State.OPEN, Send): State.OPEN,
    (State.OPEN, Close): State.OPEN,
    (State.OPEN, Tell): State.OPEN,
    (State.IDLE, Tell): State.IDLE,
    (State.OPEN, Finish): State.DONE,
    (State.OPEN, Write): State.CLOSED,
    (State.DONE, Close): State.DONE,
    (State.DONE, Write): State.CLOSED,
}


class IllegalCommand(KeepwarmError):
    """A life yielded a command that its state does not allow: a mistake in keepwarm."""


def step(state: State, command: Command) -> State:
    """The state after `command`. Raises IllegalCommand."""
    after = LEGAL.get((state, type(command)))
    if after is None:
        raise IllegalCommand(f"{type(command).__name__} is not legal when the answer is {state.value}")
    return after
