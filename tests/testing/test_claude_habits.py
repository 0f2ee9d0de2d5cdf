"""Sessions in which the client changes what it has sent: each can be walked through to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keepwarm.testing import claude_habits as habits
from keepwarm.testing.claude_habits import Habit

ALL = [
    habits.midnight,
    habits.pruned,
    habits.under_git,
    habits.searching,
    habits.late_tools,
    habits.compacted,
    habits.cleared,
    habits.forked,
]


@pytest.mark.parametrize("make", ALL, ids=[make.__name__ for make in ALL])
def test_each_turn_that_is_typed_has_its_script_and_each_script_ends(
    make: Callable[[Path], Habit], tmp_path: Path
) -> None:
    habit = make(tmp_path)
    typed = [turn for process in habit.processes for turn in process.turns]
    for marker, answers in habit.scripts.items():
        assert answers[-1].tool_calls == ()
        assert all(answer.tool_calls for answer in answers[:-1])
        assert any(marker in turn for turn in typed), f"nobody asks for {marker}"
    assert all(turn.startswith("/") or any(marker in turn for marker in habit.scripts) for turn in typed)


@pytest.mark.parametrize("make", ALL, ids=[make.__name__ for make in ALL])
def test_its_folder_is_laid_out(make: Callable[[Path], Habit], tmp_path: Path) -> None:
    habit = make(tmp_path)
    habit.prepare(tmp_path)
    assert {name for name in habit.seeds if not (tmp_path / name).exists()} == set()
