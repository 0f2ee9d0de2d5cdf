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
    record, parted = detail.record, detail.diff
    before = f"request {detail.previous.id[:ID]}, turn {detail.previous.turn}" if detail.previous else "the one before"
    lines = [
        paper.line((f"Request {record.id[:ID]}, turn {record.turn}, against {before} of its conversation", "bold")),
        Text(""),
    ]
    verdict = record.verdict
    if verdict is not None and verdict.sentence:
        lines += [Text(paper.ink(verdict.sentence)), Text("")]
    if parted.what:
        lines += [*_heading(parted.what, parted.code, parted.path, paper)]
        lines += _side(" ", parted.before[: parted.offset], "dim", paper, tail=True)
        lines += _side("-", parted.before[parted.offset :] or "(nothing)", "red", paper)
        lines += [*_side("+", parted.after[parted.offset :] or "(nothing)", "green", paper), Text("")]
    for place in verdict.places if verdict is not None else ():
        if place.path != parted.path:  # the other causes, in short
            lines += _heading(place.what, place.code, place.path, paper)
            lines += _side("-", place.before or "(nothing)", "red", paper)
            lines += [*_side("+", place.after or "(nothing)", "green", paper), Text("")]
    return Group(*lines, Text(paper.ink(_closing(detail)), "dim"))


def _heading(what: str, code: str, path: str, paper: Paper) -> list[Text]:
    rule = f"{code} {CODES[code].name}" if code in CODES else code or "known to no rule"
    lines = [paper.line((what, "bold"), f"  {rule}")]
    return [*lines, paper.line((f"at {path}", "dim"))] if path else lines


def _side(sign: str, text: str, style: str, paper: Paper, tail: bool = False) -> list[Text]:
    """Text as lines behind a sign; long ones are broken, and of many the first are shown (`tail`: the last)."""
    room = max(8, paper.width - 2)
    pieces: list[str] = []
    for line in text.replace("\\n", "\n").split("\n"):
        said = words.clean(line)
        pieces += [said[at : at + room] for at in range(0, len(said), room)] or [""]
    shown = pieces[-4:] if tail else pieces[:_SHOWN]
    return [paper.line((f"{sign} {piece}", style)) for piece in shown if piece or not tail]


def _closing(detail: Detail) -> str:
    """What the page cannot show, and how to see it."""
    if detail.record.verdict is None:
        return "There is no verdict for this request: it did not get that far."
    if detail.previous is None:
        return "It is the first request of its conversation: there is nothing that it could part from."
    if not detail.diff.what:
        return "Nowhere: the prompt was only added to."
    if detail.diff.recorded:
        return "These are the words, from the recording in the ledger."
    return (
        "Letters and figures are hidden: these texts were not recorded. "
        "keepwarm serve --record  keeps the words of the requests to come."
    )
