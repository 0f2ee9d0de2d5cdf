"""Four real agents that speak Chat Completions, through keepwarm to a real llama.cpp: what each `make test` runs.

Each template and each number of slots stands here once. The whole matrix is in test_chat_matrix.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.cline import Cline
from keepwarm.testing.opencode import OpenCode
from keepwarm.testing.pi_agent import Pi
from keepwarm.testing.qwen_code import QwenCode
from tests.clients.chat_cells import play_and_judge
from tests.clients.chat_stage import ChatCell
from tests.clients.conftest import HandIn


@pytest.mark.matrix
@pytest.mark.timeout(600)
async def test_qwen_code_moves_its_reminders_and_its_git_status_and_costs_nothing(
    tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(ChatCell(QwenCode, "strict_system", 1), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.timeout(400)
async def test_a_title_call_does_not_disturb_the_session_of_opencode(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(ChatCell(OpenCode, "qwen_like", 4), tmp_path, hand_in)


@pytest.mark.timeout(400)
async def test_pi_keeps_its_cache_through_four_processes(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(ChatCell(Pi, "qwen_like", 1), tmp_path, hand_in)


@pytest.mark.matrix
@pytest.mark.timeout(400)
async def test_cline_keeps_its_cache_through_four_processes(tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(ChatCell(Cline, "tools_first", 1), tmp_path, hand_in)
