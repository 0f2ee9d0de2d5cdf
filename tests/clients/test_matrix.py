"""The whole matrix: each way of Claude Code with its header, each template, one slot and four; `make test-clients`."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.accounts import account
from tests.clients import judge
from tests.clients.cells import CLIENTS, TEMPLATES, play_and_judge
from tests.clients.conftest import HandIn
from tests.clients.stage import Cell, Client, playing

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

each_client = pytest.mark.parametrize("client", CLIENTS, ids=[client.name.replace(" ", "-") for client in CLIENTS])
each_template = pytest.mark.parametrize("template", TEMPLATES)


@each_client
@each_template
@pytest.mark.parametrize("slots", [1, 4])
async def test_each_token_of_a_session_is_prefilled_once(
    client: Client, template: str, slots: int, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(Cell(client, template, slots), tmp_path, hand_in)


@each_client
@each_template
async def test_two_sessions_at_once_do_not_disturb_each_other(
    client: Client, template: str, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(Cell(client, template, 4, "pair"), tmp_path, hand_in)


@each_client
@each_template
async def test_sub_agents_and_side_calls_do_not_disturb_their_session(
    client: Client, template: str, tmp_path: Path, hand_in: HandIn
) -> None:
    await play_and_judge(Cell(client, template, 4, "scouts"), tmp_path, hand_in)


@each_client
@pytest.mark.parametrize("slots", [1, 2])
async def test_fewer_slots_than_conversations_cost_no_more_than_without_keepwarm(
    client: Client, slots: int, tmp_path: Path, hand_in: HandIn
) -> None:
    alone = Cell(client, "qwen_like", slots, "scouts", keep=False)
    straight, _ = await play_and_count(alone, tmp_path / "straight", hand_in)
    kept, _ = await play_and_count(Cell(client, "qwen_like", slots, "scouts"), tmp_path / "kept", hand_in)
    assert kept <= 1.1 * straight


@each_client
async def test_the_same_session_straight_to_the_chat_endpoint_is_dearer(
    client: Client, tmp_path: Path, hand_in: HandIn
) -> None:
    straight, ideal = await play_and_count(Cell(client, "qwen_like", 4, keep=False), tmp_path, hand_in)
    assert straight > judge.LIMIT * ideal


async def play_and_count(cell: Cell, folder: Path, hand_in: HandIn) -> tuple[int, int]:
    """(what it costs, the ideal) of a cell without a limit to keep to; that nothing is lost is judged all the same."""
    async with playing(cell, folder) as (played, server):
        judge.assert_walked(played)
        books = account(played.exchanges)
        hand_in(judge.row(played, books))
        judge.assert_counts_agree(played, books)
        await judge.assert_nothing_lost(played, server)
        return judge.engine_cost(played), books.ideal
