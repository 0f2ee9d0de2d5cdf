"""The real Claude Code through keepwarm to a real llama.cpp: the part of the matrix that each `make test` runs.

Each way in which a version treats its header, each template and each kind of session stand here once. The whole matrix
is in test_matrix.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.cells import play_and_judge
from tests.clients.conftest import HandIn
from tests.clients.stage import Cell, Client


@pytest.mark.timeout(400)
async def test_a_header_that_changes_with_each_request_costs_nothing(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(Cell(Client("2.1.114"), "qwen_like", 4), tmp_path, hand_in)


@pytest.mark.timeout(400)
async def test_inline_system_messages_pass_a_strict_template_in_the_one_slot(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(Cell(Client("2.1.328"), "strict_system", 1), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.timeout(400)
async def test_two_sessions_at_once_keep_their_slots_behind_ever_longer_headers(
    tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(Cell(Client("2.1.328", first_party=True), "tools_first", 4, "pair"), tmp_path, hand_in)


@pytest.mark.timeout(400)
async def test_sub_agents_beside_their_session_cost_nothing_twice(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(Cell(Client("2.1.328"), "dated", 4, "scouts"), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.timeout(400)
async def test_what_an_old_version_rewrites_on_resume_is_named(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(Cell(Client("2.1.39"), "tools_first", 1), tmp_path, hand_in)
