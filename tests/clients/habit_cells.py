"""The habits of Claude Code: what the client edits in each, and how it has to be named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from keepwarm.testing import claude_habits
from keepwarm.testing.gauge_server import READING
from tests.clients import habit_judge, judge
from tests.clients.conftest import HandIn
from tests.clients.habit_judge import Change
from tests.clients.habit_stage import HabitCell, playing
from tests.clients.stage import Client

OLD: Final = Client("2.1.39")
NEW: Final = Client("2.1.328")


class Expectation(msgspec.Struct, frozen=True):
    """What the client is known to do in a session."""

    changes: tuple[Change, ...]
    told: tuple[str, ...] = ()
    """What stands at the head of the client's last request and must have been told."""


def cell(client: Client, habit: str, template: str, slots: int = 4) -> HabitCell:
    """A cell by the name of its habit."""
    return HabitCell(client, template, slots, getattr(claude_habits, habit))


EXPECTED: Final = {
    # Only the tool's description moves on within a process; the next one writes the date into the system prompt too.
    ("2.1.39", "midnight"): Expectation(
        (Change(("/tools/12",), "VOL003"), Change(("/system/2/text",), "VOL004")), ("2026-03-15",)
    ),
    ("2.1.39", "under_git"): Expectation((Change(("/system/2/text",), "VOL004"),), ("?? more.txt",)),
    # The next process does not know what this one has taken away, and sends it whole; and a reminder is gone.
    ("2.1.39", "pruned"): Expectation(
        (
            Change(("/messages/2", "/messages/4"), "HIS005"),
            Change(("/messages/2", "/messages/4", "/messages/10"), "HIS005"),
        )
    ),
    ("2.1.39", "late_tools"): Expectation((Change(("/tools/17",), "ORD002"),), ("mcp__gauges__read_gauge",)),
    ("2.1.328", "searching"): Expectation(
        (
            Change(("/tools/12",), "ORD002", "/messages/5"),
            Change(("/tools/13",), "ORD002", "/messages/14"),
            Change(("/tools/2",), "ORD002", "/messages/21"),
        ),
        ("painted on the pipe", READING),
    ),
    ("2.1.39", "compacted"): Expectation((Change(("/messages/0",), "HIS005"),)),
    ("2.1.328", "compacted"): Expectation((Change(("/messages/0",), "HIS005"),)),
    # Another session begins, with another id: nothing that was sent is edited.
    ("2.1.328", "cleared"): Expectation(()),
    ("2.1.39", "forked"): Expectation(()),
    ("2.1.328", "forked"): Expectation(()),
}
"""By version and habit."""


async def play_and_judge(cell: HabitCell, folder: Path, hand_in: HandIn) -> None:
    """As dear as the client's own edits make it, nothing lost, each edit named."""
    expected = EXPECTED[cell.client.version, cell.habit.__name__]
    async with playing(cell, folder) as (played, server):
        judge.assert_walked(played)
        books = await habit_judge.books_of(played, server)
        hand_in(judge.row(played, books))
        habit_judge.assert_counts_agree(played, books)
        judge.assert_each_token_once(played, books)
        habit_judge.assert_lineages(played)
        habit_judge.assert_named(played, expected.changes)
        await habit_judge.assert_nothing_lost(played, server, expected.told)
