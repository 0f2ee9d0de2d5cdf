"""The cells of the matrix, and how each kind of them is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from keepwarm.testing.accounts import account
from tests.clients import judge
from tests.clients.conftest import HandIn
from tests.clients.stage import Cell, Client, playing

CLIENTS: Final = (Client("2.1.114"), Client("2.1.328"), Client("2.1.328", first_party=True), Client("2.1.39"))
TEMPLATES: Final = ("qwen_like", "tools_first", "strict_system", "dated")
REWRITES_ON_RESUME: Final = frozenset(("2.1.39",))
"""Versions that lose one of two parallel calls, and their own reminders, when a second process takes a session up."""


async def play_and_judge(cell: Cell, folder: Path, hand_in: HandIn) -> None:
    """Each token once, nothing lost; what the client rewrites on `-c` is named in the ledger, and nothing else is."""
    async with playing(cell, folder) as (played, server):
        judge.assert_walked(played)
        rewriting = None
        if cell.kind == "main":
            rewriting = await judge.rewriting(played, server, "alphaone")
            assert (rewriting is not None) == (cell.client.version in REWRITES_ON_RESUME)
        books = account(played.exchanges, {} if rewriting is None else {rewriting.place: rewriting.kept})
        hand_in(judge.row(played, books))
        judge.assert_counts_agree(played, books)
        judge.assert_each_token_once(played, books)
        judge.assert_named(played, rewriting)
        await judge.assert_nothing_lost(played, server)
