"""The scenario matrix: every cause is mended or named with its place, and nothing else is.

client -> gateway -> scripted server -> llama.cpp. With the rules on a conversation costs at most 1.02 times the ideal,
and what was mended is listed; observed, each cause is named. `make test-scenarios` plays the whole matrix.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.simulation import simulate
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.testing.scenarios.verdicts import faults
from keepwarm.testing.templates import NAMES
from tests.scenarios.cells import NOT_YET, SHAPES, Cell, cells, each, not_yet, representatives, simulated
from tests.scenarios.conftest import EnginesFor


@pytest.mark.matrix
@each(cells(), not_yet)
async def test_a_cell_on_the_real_engine(cell: Cell, engines_for: EnginesFor, tmp_path: Path) -> None:
    played = await play(cell.scenario, cell.setting, engines_for(cell), tmp_path / "ledger.sqlite")
    assert faults(played) == []


@each(representatives(), not_yet)
async def test_a_representative_on_the_real_engine(cell: Cell, engines_for: EnginesFor, tmp_path: Path) -> None:
    played = await play(cell.scenario, cell.setting, engines_for(cell), tmp_path / "ledger.sqlite")
    assert faults(played) == []


@each(simulated(), not_yet)
def test_a_cell_with_a_simulated_cache(cell: Cell) -> None:
    assert faults(simulate(cell.scenario, cell.setting)) == []


def test_every_cause_has_its_representative() -> None:
    chosen = representatives()
    assert {row.code for cell in chosen for row in cell.rows} == {row.code for row in INJECTIONS.values()}
    assert {cell.template for cell in chosen} == set(NAMES)
    assert {cell.mends for cell in chosen} == {True, False}
    assert {cell.shape for cell in chosen} == set(SHAPES)


def test_every_row_that_fails_still_is_a_row() -> None:
    assert [name for name in NOT_YET if not any(cell.name.startswith(name) for cell in cells())] == []
