"""The cells of the scenario matrix on vLLM: those of llama.cpp's, but for what the tables here leave out, and why.

One template is played whole, mended and observed, in both shapes. Of the others a share is, so that all of it takes
some twenty minutes: `qwen_like` mended, in the Messages shape every row and in the Chat Completions shape those of
HIS002; `strict_system` and `dated` the rows of OTHERS in the Chat Completions shape, mended and observed.

vLLM has one prefix cache for everybody, in blocks, and no slots. Each play has a cache of its own in it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from keepwarm.testing.scenarios.played import Setting
from tests.scenarios.cells import Cell, cells, not_yet

TEMPLATES: Final = ("tools_first", "qwen_like", "strict_system", "dated")
"""Those that are played, in this order: vLLM starts anew for each. Three hundred cells a template."""
WHOLE: Final = "tools_first"
"""The one of which every cell is played."""
OTHERS: Final = ("clean-resume", "HIS001-moved", "HIS002-dropped", "HIS003-rewritten")
"""What is injected, one at a time, on a template that neither drops nor moves anything on vLLM."""
STRIPPED: Final = ("VOL001",)
"""What vLLM takes out of the prompt itself, so that it costs nothing where the gateway only observes."""

NOT_PLAYED: Final[dict[str, str]] = {
    "SEA001": "there are no slots that could be stolen: `clean-helpers` plays the same course and finds nothing",
    "clean-pictures": "vLLM refuses pictures for a model that has no eyes, however they are sent",
    "VOL001-session-*-observed": "vLLM takes the line out itself: nothing parts the sessions",
}
"""The beginning of an injection's name, or that and the way it is played: why its cells say nothing here."""

_TAKES_THE_LINE_OUT: Final = (
    "a gateway that only observes does not know that vLLM takes the billing line out itself: where something else is "
    "lost it points at the line"
)
NOT_YET_HERE: Final[dict[str, str]] = {
    "ORD002-added- mended": "vLLM prints the list of tools that may be called, and no other: one that comes late "
    "stands in the head, and what is behind it is processed again, once",
    f"HIS003-each-{WHOLE} observed": "the order of keys before the last comes back, and vLLM has that older prompt "
    "whole: it is taken for a branch that goes on, a hit",
    "VOL001-each-ORD001-each-HIS001-moved-HIS003-rewritten- observed": _TAKES_THE_LINE_OUT,
    "VOL001-each-HIS005-result-HIS002-dropped- observed": _TAKES_THE_LINE_OUT,
    "VOL001-each-HIS003-rewritten-HIS005-compacted- observed": _TAKES_THE_LINE_OUT,
    "VOL001-each-HIS001-moved-HIS007-cut- observed": _TAKES_THE_LINE_OUT,
}
"""Rows that fail on vLLM, and why: the words that stand in a cell's name. It may only shrink."""


def vllm_cells() -> list[Cell]:
    """The whole matrix, in the order of TEMPLATES."""
    rest = [cell for cell in cells() if cell.template in TEMPLATES and not left_out(cell)]
    return sorted(rest, key=lambda cell: TEMPLATES.index(cell.template))


def left_out(cell: Cell) -> str:
    """Why a cell is not played; "" when it is."""
    for name, why in NOT_PLAYED.items():
        begins, _, way = name.partition("-*-")
        if any(one.startswith(begins) for one in cell.injections) and (not way or not cell.mends):
            return why
    return "" if _in_share(cell) else "one template is played whole, and of the others a share"


def _in_share(cell: Cell) -> bool:
    if cell.template == WHOLE:
        return True
    if cell.template == "qwen_like":
        return cell.mends and (cell.shape == "messages" or any(row.code == "HIS002" for row in cell.rows))
    return cell.shape == "chat" and len(cell.injections) == 1 and cell.injections[0] in OTHERS


def vllm_setting(cell: Cell) -> Setting:
    """How it is played."""
    return replace(cell.setting, spared=() if cell.mends else STRIPPED)


def vllm_not_yet(cell: Cell) -> str:
    """Why a cell fails still; "" when it must pass."""
    here = (why for name, why in NOT_YET_HERE.items() if all(word in cell.name for word in name.split()))
    return next(here, "") or not_yet(cell)
