"""Plans that do not go straight on: other conversations between, branches, compaction, interruption."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.testing.answers import PIECE, Answer
from keepwarm.testing.scenarios.plan import Planner

_LONG = 720
"""Characters of an answer that is cut, or that is read another way than generated."""


def straight(planner: Planner, turns: int) -> None:
    """One conversation from its beginning to its end."""
    planner.go_on("main", None, turns)


def rewind(planner: Planner, turns: int) -> None:
    """The client goes back to its second request, and from there on says other things."""
    half = max(2, turns // 2)
    planner.go_on("main", None, half)
    planner.go_on("main", 1, max(1, turns - half))


def fork(planner: Planner, turns: int) -> None:
    """A second session takes the first one's history over, and both go on in turns."""
    half = max(2, turns // 2)
    one = two = planner.go_on("main", None, half)
    for _ in range(max(1, turns - half)):
        two = planner.go_on("branch", two, 1, session="two")
        one = planner.go_on("main", one, 1)


def resume(planner: Planner, turns: int) -> None:
    """The gateway is started anew in the middle of the conversation."""
    half = max(2, turns // 2)
    middle = planner.go_on("main", None, half)
    planner.go_on("main", middle, max(1, turns - half), restart=True)


def helpers(planner: Planner, turns: int) -> None:
    """Two sub-agents with the main conversation's own head, at work in turns with it."""
    one = planner.go_on("main", None, 2)
    ends = {f"helper{at}": planner.go_on(f"helper{at}", None, 1, agent=f"agent{at}") for at in range(2)}
    for _ in range(max(1, turns - 3)):
        ends = {name: planner.go_on(name, end, 1) for name, end in ends.items()}
        one = planner.go_on("main", one, 1)


def titles(planner: Planner, turns: int) -> None:
    """A side call with the same system prompt, before the second request and before every third one."""
    last: int | None = None
    for step in range(turns):
        if step % 3 == 1:
            number = len(planner.asks)
            planner.ask(f"title{number}", None, [planner.typed(number)], Answer("The lost hour"), head="title")
        last = planner.go_on("main", last, 1)


def compaction(planner: Planner, turns: int) -> None:
    """The history is summed up, and the summary takes its place."""
    half = max(2, turns // 2)
    last = planner.go_on("main", None, half)
    number = len(planner.asks)
    words = planner.typed(number, "Sum up all that was done so far.")
    parts = [*(planner.results(last) if planner.asks[last].answer.tool_calls else []), words]
    last = planner.ask("main", last, parts, Answer(planner.prose(600)))
    number = len(planner.asks)
    summary = planner.typed(number, f"What was done so far: {planner.asks[last].answer.text}")
    first = planner.ask("main", None, [summary], planner.answer(0), before=last, session=planner.asks[last].session)
    planner.go_on("main", first, max(1, turns - half - 2))


def interrupted(planner: Planner, turns: int) -> None:
    """An answer is cut by the user, who goes on with another request."""
    last = planner.go_on("main", None, max(2, turns // 2))
    number = len(planner.asks)
    parts = planner.results(last) if planner.asks[last].answer.tool_calls else [planner.typed(number)]
    cut = planner.ask("main", last, parts, Answer(planner.prose(_LONG)), cut=_LONG // PIECE // 2)
    planner.go_on("main", cut, max(1, turns - max(2, turns // 2) - 1))


def pictures(planner: Planner, turns: int) -> None:
    """The user shows a picture with the first request and with a later one."""
    number = len(planner.asks)
    last = planner.ask("main", None, [planner.typed(number), planner.picture()], planner.answer(2))
    for step in range(1, turns):
        if planner.asks[last].answer.tool_calls or step % 3:
            last = planner.go_on("main", last, 1)
        else:
            number = len(planner.asks)
            last = planner.ask("main", last, [planner.picture(), planner.typed(number)], planner.answer(step))


def retokenised(planner: Planner, turns: int) -> None:
    """One long answer stands in the server's cache in other tokens than its words are read in."""
    last: int | None = None
    for step in range(turns):
        last = planner.go_on("main", last, 1)
        if step == max(2, turns // 2) - 1:
            ask = planner.asks[last]
            planner.asks[last] = replace(ask, answer=Answer(planner.prose(_LONG), in_pieces=True))
