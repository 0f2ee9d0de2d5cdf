"""The whole matrix of the agents that speak Chat Completions; `make test-clients`."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.chat_agent import ChatAgent
from keepwarm.testing.qwen_code import QwenCode
from tests.clients import chat_judge, judge
from tests.clients.chat_cells import AGENTS, play_and_judge
from tests.clients.chat_stage import ChatCell, playing
from tests.clients.conftest import HandIn

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

each_agent = pytest.mark.parametrize("agent", AGENTS, ids=[agent.name.replace(" ", "-") for agent in AGENTS])
each_table = pytest.mark.parametrize(
    ("template", "slots"),
    [("qwen_like", 1), ("qwen_like", 4), ("strict_system", 1), ("strict_system", 4), ("tools_first", 4), ("dated", 4)],
)


@each_agent
@each_table
async def test_each_token_of_a_session_is_prefilled_once(
    agent: type[ChatAgent], template: str, slots: int, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(ChatCell(agent, template, slots), tmp_path, hand_in)


@pytest.mark.parametrize(("template", "slots"), [("qwen_like", 4), ("strict_system", 1)])
async def test_guesses_and_looks_for_memories_do_not_disturb_their_session(
    template: str, slots: int, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(ChatCell(QwenCode, template, slots, "editor"), tmp_path, hand_in)


@each_agent
async def test_the_same_session_straight_to_the_chat_endpoint_is_dearer(
    agent: type[ChatAgent], tmp_path: Path, hand_in: HandIn
) -> None:
    async with playing(ChatCell(agent, "qwen_like", 4, keep=False), tmp_path) as (played, server):
        chat_judge.assert_walked(played)
        books = await chat_judge.books_of(played, server)
        hand_in(judge.row(played, books))
        judge.assert_counts_agree(played, books)
        await chat_judge.assert_nothing_lost(played, server)
        assert judge.engine_cost(played) > judge.LIMIT * books.ideal
