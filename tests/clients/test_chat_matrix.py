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
each_chief = pytest.mark.parametrize(
    "agent", [agent for agent in AGENTS if agent.hands.scout], ids=lambda agent: agent.name.replace(" ", "-")
)
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


@each_chief
async def test_sub_agents_do_not_disturb_their_session(agent: type[ChatAgent], tmp_path: Path, hand_in: HandIn) -> None:
    await play_and_judge(ChatCell(agent, "qwen_like", 4, "scouts"), tmp_path, hand_in)


@each_chief
async def test_three_conversations_in_one_slot_cost_each_token_about_once(
    agent: type[ChatAgent], tmp_path: Path, hand_in: HandIn
) -> None:
    # Straight to the server the same is cheaper (0.60 to 0.83 of the ideal): there the second sub-agent finds the head
    # of the first in the slot, which the gateway clears for it. Both figures stand in the table.
    await play_and_count(ChatCell(agent, "strict_system", 1, "scouts", keep=False), tmp_path / "straight", hand_in)
    kept, ideal = await play_and_count(ChatCell(agent, "strict_system", 1, "scouts"), tmp_path / "kept", hand_in)
    assert kept <= 1.1 * ideal


@pytest.mark.parametrize(("template", "slots"), [("qwen_like", 4), ("strict_system", 1)])
async def test_guesses_and_looks_for_memories_do_not_disturb_their_session(
    template: str, slots: int, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(ChatCell(QwenCode, template, slots, "editor"), tmp_path, hand_in)


@each_agent
async def test_the_same_session_straight_to_the_chat_endpoint_is_dearer(
    agent: type[ChatAgent], tmp_path: Path, hand_in: HandIn
) -> None:
    straight, ideal = await play_and_count(ChatCell(agent, "qwen_like", 4, keep=False), tmp_path, hand_in)
    assert straight > judge.LIMIT * ideal


async def play_and_count(cell: ChatCell, folder: Path, hand_in: HandIn) -> tuple[int, int]:
    """(what it costs, the ideal) of a cell without a limit to keep to; that nothing is lost is judged all the same."""
    async with playing(cell, folder) as (played, server):
        chat_judge.assert_walked(played)
        books = await chat_judge.books_of(played, server)
        hand_in(judge.row(played, books))
        judge.assert_counts_agree(played, books)
        await chat_judge.assert_nothing_lost(played, server)
        return judge.engine_cost(played), books.ideal
