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
"""What vLLM takes out of the prompt itself: where the gateway only observes it costs nothing, and is not named."""

NOT_PLAYED: Final[dict[str, str]] = {
    "SEA001": "there are no slots that could be stolen: `clean-helpers` plays the same course and finds nothing",
    "clean-pictures": "vLLM refuses pictures for a model that has no eyes, however they are sent",
}
"""The beginning of an injection's name: why its cells say nothing here."""

NOT_YET_HERE: Final[dict[str, str]] = {}
"""Rows that fail on vLLM, and why: the words that stand in a cell's name. It may only shrink."""


def vllm_cells() -> list[Cell]:
    """The whole matrix, in the order of TEMPLATES."""
    rest = [cell for cell in cells() if cell.template in TEMPLATES and not left_out(cell)]
    return sorted(rest, key=lambda cell: TEMPLATES.index(cell.template))


def left_out(cell: Cell) -> str:
    """Why a cell is not played; "" when it is."""
    for name, why in NOT_PLAYED.items():
        if any(one.startswith(name) for one in cell.injections):
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
