"""The sessions that bring a habit about: whole, and a run that does not walk through them is found out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.testing import claude_habits
from keepwarm.testing.answers import Answer
from keepwarm.testing.claude_code import ClaudeRun
from keepwarm.testing.claude_habits import DAY, MORNING, SUMMARY, Habit, Process
from keepwarm.testing.claude_sessions import TITLE

HABITS = (
    claude_habits.midnight,
    claude_habits.pruned,
    claude_habits.under_git,
    claude_habits.searching,
    claude_habits.late_tools,
    claude_habits.compacted,
    claude_habits.cleared,
    claude_habits.forked,
)
each_habit = pytest.mark.parametrize("make", HABITS, ids=lambda make: make.__name__)
Make = Callable[[Path], Habit]
WORK = Path("/srv/work")


def asked(*words: str, tools: bool = True) -> dict[str, Any]:
    """A request with a user message of each of these words, answered all but the last."""
    rows: list[dict[str, Any]] = []
    for text in words:
        rows += [{"role": "user", "content": text}, {"role": "assistant", "content": "x"}]
    return {"messages": rows[:-1], "tools": [{"type": "function"}] if tools else []}


def run_of(process: Process, habit: Habit) -> ClaudeRun:
    """A run that went its whole way."""
    markers = [turn.rpartition("SCRIPT ")[2] for turn in process.turns]
    said = [habit.scripts[marker][-1].text if marker in habit.scripts else "" for marker in markers]
    return ClaudeRun(0, "", "", tuple({"type": "result", "result": words} for words in said), 1.0)


@each_habit
def test_every_turn_has_a_script_that_ends_in_words(make: Make) -> None:
    habit = make(WORK)
    script = habit.script()
    turns = [turn for process in habit.processes for turn in process.turns if not turn.startswith("/")]
    assert len(turns) == len(set(turns)) == len(habit.scripts)
    for turn in turns:
        answers = habit.scripts[turn.rpartition("SCRIPT ")[2]]
        assert script(asked(turn)) == answers[0]
        assert all(answer.tool_calls for answer in answers[:-1])
        assert answers[-1].text
        assert not answers[-1].tool_calls
        for answer in answers:
            for _, arguments in answer.tool_calls:
                assert json.dumps(json.loads(arguments), ensure_ascii=False) == arguments


def test_a_request_for_a_summary_gets_one_and_a_title_call_a_title() -> None:
    habit = claude_habits.compacted(WORK)
    script = habit.script()
    turn = habit.processes[0].turns[0]
    assert script(asked(turn, "Your summary goes into <summary> tags.")) == Answer(SUMMARY)
    assert script(asked(turn, tools=False)) == Answer(TITLE)


@each_habit
def test_a_run_that_walked_through_has_no_faults_and_each_way_to_stray_is_one(make: Make) -> None:
    habit = make(WORK)
    for process in habit.processes:
        run = run_of(process, habit)
        assert habit.faults(process, run) == []
        failed = {"type": "tool_result", "content": "no such tool", "is_error": True}
        strayed = (
            msgspec.structs.replace(run, returncode=1, stderr="gone"),
            msgspec.structs.replace(run, events=({"type": "user", "message": {"content": [failed]}}, *run.events)),
            msgspec.structs.replace(run, events=run.events[:-1]),
        )
        for stray in strayed:
            assert len(habit.faults(process, stray)) == 1


def test_a_project_under_git_begins_clean(tmp_path: Path) -> None:
    claude_habits.under_git(tmp_path).prepare(tmp_path)
    status = subprocess.run(["git", "status", "--short"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert status.stdout == ""


def test_the_night_is_short(tmp_path: Path) -> None:
    habit = claude_habits.midnight(tmp_path)
    habit.prepare(tmp_path)
    assert habit.environment["KEEPWARM_CLOCK"] == str(tmp_path / "clock")
    passed = float((tmp_path / "morning").read_text()) - float((tmp_path / "clock").read_text())
    assert abs(passed - (MORNING - DAY).total_seconds()) < 1


async def test_flags_name_the_sessions_of_earlier_processes() -> None:
    seen: list[tuple[tuple[str, ...], list[str]]] = []
    habit = claude_habits.forked(WORK)

    class Agent:
        async def converse(self, turns: tuple[str, ...], flags: list[str], timeout: float) -> ClaudeRun:
            seen.append((turns, flags))
            run = run_of(next(process for process in habit.processes if process.turns == turns), habit)
            first = {"type": "system", "session_id": f"s{len(seen)}"}
            return msgspec.structs.replace(run, events=(first, *run.events))

    assert await habit.walk(Agent()) == []  # type: ignore[arg-type]
    assert [flags for _, flags in seen] == [
        [],
        ["--resume", "s1", "--fork-session"],
        ["--resume", "s1"],
        ["--resume", "s3"],
    ]
