"""Sessions with one head on a real engine: who begins has what is warm elsewhere, and nobody loses anything by it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.shell.conftest import OpenGateway, Records
from tests.shell.talk import SCRIPT, Talk, client_of
from tests.testing.conftest import EngineFor

RULES = " ".join(f"rule {number}: be careful with valve {number * 7 % 97}." for number in range(400))
FIRST = "The first request of its conversation"


async def alternate(
    engine_for: EngineFor, open_gateway: OpenGateway, count: int, **options: Any
) -> tuple[list[list[Exchange]], list[str]]:
    """So many sessions, one beginning after the other, then in turn; (the requests of each, what was told of the first
    ones)."""
    head = f"{count} sessions on {sorted(options.items())}. "
    async with ScriptedServer(engine_for("tools_first", context=65_536, **options).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        records = Records(gateway)
        async with client_of(gateway) as client:
            names = [f"session {number}" for number in range(count)]
            talks = [Talk(client, name, system=[{"type": "text", "text": head + RULES}]) for name in names]
            for _ in range(3):
                for talk in talks:
                    await talk.turn()
            rows = [[one for one in server.exchanges if f"{name}: SCRIPT" in one.prompt] for name in names]
    told = [record.verdict.sentence for record in records[:count] if record.verdict is not None]
    losses = [record.verdict.lost for record in records if record.verdict is not None]
    assert not any(losses)
    return rows, told


def paid_beyond_the_ideal(row: list[Exchange]) -> int:
    """Tokens that were processed although the turn before had left them."""
    return sum(now.prefilled_tokens + old.held_tokens - now.prompt_tokens for old, now in pairwise(row))


async def test_with_a_slot_for_each_a_head_is_processed_once(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    rows, told = await alternate(engine_for, open_gateway, 4, slots=4)
    assert [paid_beyond_the_ideal(row) for row in rows] == [0, 0, 0, 0]
    assert [row[0].prefilled_tokens < 40 for row in rows] == [False, True, True, True]
    assert [{one.slot for one in row} for row in rows] == [{0}, {1}, {2}, {3}]
    assert told[0] == f"{FIRST}: nothing of it could be cached yet."
    assert all("tokens of it from a copy of slot" in words for words in told[1:])


async def test_with_fewer_slots_nearly_half_of_the_one_that_goes_is_kept(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    rows, told = await alternate(engine_for, open_gateway, 3, slots=2)
    assert [paid_beyond_the_ideal(row) for row in rows] == [0, 0, 0]
    assert rows[1][0].prefilled_tokens < 40
    assert 0.5 < rows[2][0].prefilled_tokens / rows[2][0].prompt_tokens < 0.6
    assert "less than half can stay" in told[2]


@pytest.mark.parametrize("options", [{"unified": True}, {"cache_ram_mib": 0}], ids=str)
async def test_where_a_copy_would_cost_the_other_or_there_is_none_each_begins_cold_and_loses_nothing(
    options: dict[str, Any], engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    """One cache for all slots, as llama-server has it without --parallel: it empties whatever is idle."""
    rows, told = await alternate(engine_for, open_gateway, 2, slots=4, **options)
    assert [paid_beyond_the_ideal(row) for row in rows] == [0, 0]
    assert rows[1][0].prefilled_tokens > 0.9 * rows[1][0].prompt_tokens
    why = "would lose it" if "unified" in options else "the server had no copy of it to load"
    assert told[1].startswith(f"{FIRST}. About ")
    assert why in told[1]


async def test_where_more_sessions_than_slots_share_one_cache_nobody_loses(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    rows, _ = await alternate(engine_for, open_gateway, 3, slots=2, unified=True)
    assert [paid_beyond_the_ideal(row) for row in rows] == [0, 0, 0]
