"""The cells of the agents that speak Chat Completions, and how they are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from keepwarm.testing.chat_agent import ChatAgent
from keepwarm.testing.cline import Cline
from keepwarm.testing.opencode import OpenCode
from keepwarm.testing.pi_agent import Pi
from keepwarm.testing.qwen_code import QwenCode
from tests.clients import chat_judge, judge
from tests.clients.chat_stage import ChatCell, Kind, playing
from tests.clients.conftest import HandIn

AGENTS: Final[tuple[type[ChatAgent], ...]] = (QwenCode, OpenCode, Pi, Cline)
REWRITES: Final[dict[tuple[type[ChatAgent], Kind], set[str]]] = {
    (QwenCode, "processes"): {"HIS001", "HIS003", "VOL004"},
    (QwenCode, "editor"): {"HIS003", "HIS005"},
    (OpenCode, "processes"): {"HIS003"},
    (Pi, "processes"): {"HIS003"},
    (Cline, "processes"): {"HIS003"},
    (QwenCode, "scouts"): {"HIS001", "HIS003"},
    (OpenCode, "scouts"): {"HIS003"},
    (Cline, "scouts"): {"HIS003"},
}
"""What each of them writes otherwise than it was, in the session that is played."""


async def play_and_judge(cell: ChatCell, folder: Path, hand_in: HandIn) -> None:
    """Each token once, nothing lost; what the agent rewrites is named in the ledger, and nobody is blamed."""
    async with playing(cell, folder) as (played, server):
        chat_judge.assert_walked(played)
        books = await chat_judge.books_of(played, server)
        hand_in(judge.row(played, books))
        judge.assert_counts_agree(played, books)
        assert chat_judge.assert_named(played) == REWRITES[cell.agent, cell.kind]
        judge.assert_each_token_once(played, books)
        await chat_judge.assert_nothing_lost(played, server)
