"""The cells of the scenario matrix: which scenario is played in which way, and which of them fail still.

With the rules on, a cell's engine has slots enough and a host cache. Observed, it has one slot and none: what the
client does then costs what it must, and is to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import pytest

from keepwarm.testing.scenarios.injection import Injection, Shape
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.testing.templates import NAMES
from keepwarm.wire.fronts import FRONTS

SHAPES: Final[tuple[Shape, ...]] = ("messages", "chat") if "chat" in FRONTS else ("messages",)
TOGETHER: Final = (
    ("VOL001-each", "ORD001-each", "HIS001-moved", "HIS003-rewritten"),
    ("VOL003-clock", "HIS004-reordered", "HIS003-each", "ORD003-keys"),
    ("VOL001-each", "HIS005-result", "HIS002-dropped"),
    ("VOL002-moving", "VOL004-git", "HIS005-trimming"),
    ("HIS001-moved", "HIS003-rewritten", "clean-resume"),
    ("VOL003-clock", "ORD001-each", "HIS002-dropped", "clean-resume"),
    ("HIS002-dropped", "HIS003-rewritten", "clean-rewind"),
    ("VOL001-each", "HIS003-rewritten", "HIS005-compacted"),
    ("VOL001-each", "HIS001-moved", "HIS007-cut"),
    ("HIS001-moved", "HIS003-rewritten", "SEA001-helpers"),
)
"""What is injected together."""


class Cell(msgspec.Struct, frozen=True):
    """One scenario, played in one way."""

    injections: tuple[str, ...]
    template: str = "tools_first"
    shape: Shape = "messages"
    mends: bool = True
    identity: bool = True

    @property
    def name(self) -> str:
        """As pytest shows it."""
        ways = ("mended" if self.mends else "observed", *(() if self.identity else ("nameless",)))
        return "-".join((*self.injections, self.template, self.shape, *ways))

    @property
    def rows(self) -> tuple[Injection, ...]:
        """What is injected."""
        return tuple(INJECTIONS[name] for name in self.injections)

    @property
    def scenario(self) -> Scenario:
        """What is played. Cells that share an engine share no words: each kind has seeds of its own."""
        seed = 1 + 2 * SHAPES.index(self.shape) + 4 * (not self.identity)
        # A template that drops reasoning by itself is no client's doing.
        thinking = self.mends or self.template != "qwen_like"
        return Scenario(self.injections, seed, shape=self.shape, identity=self.identity, thinking=thinking)

    @property
    def setting(self) -> Setting:
        """How it is played."""
        return Setting(mends=self.mends)

    @property
    def slots(self) -> int:
        """Of each engine."""
        return max(row.slots for row in self.rows) if self.mends else 1

    @property
    def engines(self) -> int:
        """How many engines it wants."""
        return 2 if any(row.server in ("models", "replicas") for row in self.rows) else 1

    @property
    def cache_mib(self) -> int:
        """Of the host cache."""
        return 512 if self.mends else 0


def is_played(cell: Cell) -> bool:
    """Whether a cell says anything."""
    if not all(cell.shape in row.shapes for row in cell.rows):
        return False
    if "clean-pictures" in cell.injections and (cell.shape == "chat" or not cell.mends):
        return False  # the tiny model has no eyes, and its server refuses a picture that goes as it came
    if cell.mends:
        return True
    if not all(row.observed for row in cell.rows):
        return False
    if len(cell.rows) > 1 and any(row.code == "SEA001" for row in cell.rows):
        return False  # of what a stolen slot costs nothing is left where the client has parted the prompt itself
    if cell.template == "strict_system" and "VOL002-inline" in cell.injections:
        return False  # refused by the template
    return cell.template != "qwen_like" or not any(row.thinking for row in cell.rows)


def cells() -> list[Cell]:
    """The whole matrix."""
    rows = [*((name,) for name in INJECTIONS), *TOGETHER]
    found = [
        Cell(row, template, shape, mends)
        for row in rows
        for template in NAMES
        for shape in SHAPES
        for mends in (True, False)
    ]
    found += [Cell(row, shape=shape, identity=False) for row in rows for shape in SHAPES]
    return sorted((cell for cell in found if is_played(cell)), key=_engine)


def representatives() -> list[Cell]:
    """Each cause once, and several together: in one way or the other, on one template or another."""
    whole = [cell for cell in cells() if cell.identity]
    first = {cell.rows[0].code: cell.injections for cell in reversed(whole) if len(cell.rows) == 1}
    found: list[Cell] = []
    for number, row in enumerate([*first.values(), TOGETHER[0], TOGETHER[4]]):
        mine = [cell for cell in whole if cell.injections == row]
        wanted = [cell for cell in mine if cell.mends == bool(number % 2)] or mine
        found.append(wanted[number // 2 % len(wanted)])
    return sorted(found, key=_engine)


def simulated() -> list[Cell]:
    """Those that a simulated cache can play, each once: it knows no templates, slots, replicas or tokens."""
    unknown = ("SEA001", "SEA002", "KEY001", "HIS008")
    return [
        cell for cell in cells() if cell.template == "tools_first" and not any(row.code in unknown for row in cell.rows)
    ]


def _engine(cell: Cell) -> tuple[str, int, int]:
    """Cells that share an engine come one after the other."""
    return cell.template, cell.slots, cell.cache_mib


NOT_YET: Final[dict[str, str]] = {}
"""Rows that fail, and why: the beginning of a cell's name. It may only shrink: one that passes fails until it is taken
off."""


def not_yet(cell: Cell) -> str:
    """Why a cell fails still; "" when it must pass."""
    return next((why for name, why in NOT_YET.items() if cell.name.startswith(name)), "")


def each(row: Iterable[Cell], not_yet: Callable[[Cell], str]) -> pytest.MarkDecorator:
    """The cells as parameters of a test; one of which `not_yet` says why it fails still is expected to."""
    return pytest.mark.parametrize(
        "cell",
        [
            pytest.param(
                cell, id=cell.name, marks=[pytest.mark.xfail(reason=why, raises=AssertionError)] if why else []
            )
            for cell in row
            for why in [not_yet(cell)]
        ],
    )
