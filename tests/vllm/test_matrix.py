"""The scenario matrix on a real vLLM: every cause is mended or named with its place, and nothing else is.

client -> gateway -> scripted vLLM -> vLLM. The append-only ideal counts in blocks: what a conversation could find is
what fills blocks. The cached count that keepwarm claims is the one that vLLM has counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.stands import VLLM
from keepwarm.testing.scenarios.verdicts import faults
from keepwarm.testing.templates import template_text
from keepwarm.testing.vllm import Vllm, VllmOptions
from tests.scenarios.cells import Cell, cells, each
from tests.vllm.vllm_cells import (
    NOT_PLAYED,
    NOT_YET_HERE,
    TEMPLATES,
    left_out,
    vllm_cells,
    vllm_not_yet,
    vllm_setting,
)

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
VllmFor = Callable[[str], Vllm]


@pytest.fixture(scope="module")
def vllm_for(vllm_options: VllmOptions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmFor]:
    """vllm_for(template): a running vLLM, one at a time."""
    running: dict[str, Vllm] = {}

    def start(template: str) -> Vllm:
        if template not in running:
            while running:
                running.popitem()[1].stop()
            file = tmp_path_factory.mktemp("template") / f"{template}.jinja"
            file.write_text(template_text(template), encoding="utf-8")
            running[template] = Vllm(replace(vllm_options, chat_template=file)).start()
        return running[template]

    yield start
    for vllm in running.values():
        vllm.stop()


@each(vllm_cells(), vllm_not_yet)
async def test_a_cell_on_a_real_vllm(cell: Cell, vllm_for: VllmFor, tmp_path: Path) -> None:
    engines = [vllm_for(cell.template).url] * cell.engines
    played = await play(cell.scenario, vllm_setting(cell), engines, tmp_path / "ledger.sqlite", VLLM)
    assert played.block == vllm_for(cell.template).options.block
    assert faults(played) == []
    told = [step.record.usage.cached_tokens for step in played.steps if not step.exchange.cancelled]
    assert all(count is not None and count % played.block == 0 for count in told)


def test_what_is_left_out_is_what_the_table_says() -> None:
    missing = [cell for cell in cells() if cell not in vllm_cells()]
    assert all(left_out(cell) for cell in missing if cell.template in TEMPLATES)
    assert [name for name in NOT_PLAYED if not any(left_out(cell) == NOT_PLAYED[name] for cell in missing)] == []


def test_every_row_that_fails_still_is_a_row() -> None:
    names = [cell.name for cell in vllm_cells()]
    unknown = [row for row in NOT_YET_HERE if not any(all(word in name for word in row.split()) for name in names)]
    assert unknown == []
