"""The real Claude Code with its habits, through keepwarm to a real llama.cpp: what it edits costs what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.cells import TEMPLATES
from tests.clients.conftest import HandIn
from tests.clients.habit_cells import EXPECTED, NEW, OLD, cell, play_and_judge
from tests.clients.stage import Client

pytestmark = pytest.mark.timeout(400)


@pytest.mark.matrix
async def test_midnight_costs_nothing(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(OLD, "midnight", "qwen_like"), tmp_path, hand_in)


@pytest.mark.matrix
async def test_a_git_status_on_resume_costs_nothing(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(OLD, "under_git", "tools_first"), tmp_path, hand_in)


@pytest.mark.matrix
async def test_old_results_that_are_taken_away_cost_what_stands_behind_them(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(OLD, "pruned", "qwen_like"), tmp_path, hand_in)


async def test_tools_that_are_loaded_cost_their_definition(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(NEW, "searching", "strict_system"), tmp_path, hand_in)


@pytest.mark.matrix
async def test_tools_that_come_late_cost_their_definition(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(OLD, "late_tools", "qwen_like"), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.parametrize("client", [pytest.param(OLD, id=OLD.version), pytest.param(NEW, id=NEW.version)])
async def test_a_compacted_conversation_keeps_its_head(client: Client, tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(client, "compacted", "qwen_like"), tmp_path, hand_in)


@pytest.mark.matrix
async def test_a_cleared_conversation_keeps_its_head(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(NEW, "cleared", "dated"), tmp_path, hand_in)


async def test_a_fork_goes_on_from_all_that_it_repeats(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(cell(NEW, "forked", "tools_first"), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.timeout(900)
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(("version", "habit"), EXPECTED)
async def test_each_habit_on_each_template(
    version: str, habit: str, template: str, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(cell(Client(version), habit, template), tmp_path, hand_in)
