"""The pages that open over the lists: a verdict, and the diff at the break."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from keepwarm.rules.codes import CODES
from keepwarm.views import words
from keepwarm.views.explain import explain
from keepwarm.views.log import ID
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.parting import Break, Parting
from keepwarm.views.top.picture import Detail

_SHOWN: Final = 12
"""Lines of each side of a diff."""


def verdict_page(detail: Detail, paper: Paper) -> RenderableType:
    """What `keepwarm explain` says of the request."""
    return explain(
        detail.record, detail.previous, detail.lineage, recorded=detail.recorded, ascii_only=paper.ascii_only
    )


def diff_page(detail: Detail, paper: Paper) -> RenderableType:
    """Where the request parts from the one before it: the words, or their shape."""
    record, parting = detail.record, detail.parting
    before = f"request {detail.previous.id[:ID]}, turn {detail.previous.turn}" if detail.previous else "the one before"
    lines = [
        paper.line((f"Request {record.id[:ID]}, turn {record.turn}, against {before} of its conversation", "bold")),
        Text(""),
    ]
    if record.verdict is not None and record.verdict.sentence:
        lines += [Text(paper.ink(record.verdict.sentence)), Text("")]
    for number, one in enumerate(parting.breaks):
        lines += [*_break(one, parting, paper, first=number == 0), Text("")]
    return Group(*lines, Text(paper.ink(_closing(detail, parting)), "dim"))


def _break(one: Break, parting: Parting, paper: Paper, *, first: bool) -> list[Text]:
    rule = f"{one.code} {CODES[one.code].name}" if one.code in CODES else one.code or "known to no rule"
    lines = [paper.line((paper.ink(one.where), "bold"), f"  {rule}")]
    if one.path:
        lines.append(paper.line((f"at {one.path}", "dim")))
    if parting.grade == "recorded" and first:
        lines += _side(" ", one.same, "dim", paper, tail=True)
    lines += _side("-", one.before or "(nothing)", "red", paper)
    lines += _side("+", one.after or "(nothing)", "green", paper)
    return lines


def _side(sign: str, text: str, style: str, paper: Paper, tail: bool = False) -> list[Text]:
    """Text as lines behind a sign; long ones are broken, and of many the first are shown (`tail`: the last)."""
    room = max(8, paper.width - 2)
    pieces: list[str] = []
    for line in text.replace("\\n", "\n").split("\n"):
        said = words.clean(line)
        pieces += [said[at : at + room] for at in range(0, len(said), room)] or [""]
    shown = pieces[-4:] if tail else pieces[:_SHOWN]
    return [paper.line((f"{sign} {piece}", style)) for piece in shown if piece or not tail]


def _closing(detail: Detail, parting: Parting) -> str:
    """What the page cannot show, and how to see it."""
    if parting.grade == "recorded":
        return "These are the words that went to the server, from the recording in the ledger."
    if parting.grade == "shape":
        return (
            "Letters and figures are hidden: these texts were not recorded. "
            "keepwarm serve --record  keeps the words of the requests to come."
        )
    if detail.record.verdict is None:
        return "There is no verdict for this request: it did not get that far."
    if detail.previous is None:
        return "It is the first request of its conversation: there is nothing that it could part from."
    return "Nowhere: the prompt was only added to."
