"""The script: whole, unambiguous, and a run that does not walk through it is found out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_agent import AgentRun, Heard
from keepwarm.testing.chat_sessions import SUGGESTION, ChatSession, chat_session, scouts_session, script_for
from keepwarm.testing.opencode import OpenCode
from keepwarm.testing.pi_agent import Pi

TOOLS = [{"type": "function", "function": {"name": "bash"}}]


def session(workdir: Path = Path("/srv/work")) -> ChatSession:
    return chat_session(workdir, Pi.hands)


def request(text: str, answered: int = 0) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}, *[{"role": "assistant", "content": "x"}] * answered]
    return {"messages": messages, "tools": TOOLS}


def walked(turn: int) -> AgentRun:
    """A run as it should be."""
    answers = session().answers(turn)
    calls = sum(len(answer.tool_calls) for answer in answers)
    return AgentRun(0, Heard(answers[-1].text, calls), "", "", 1.0)


def test_every_turn_is_answered_to_its_end() -> None:
    script = script_for(session())
    for turn, words in enumerate(session().turns):
        answers = session().answers(turn)
        assert [script(request(words, step)) for step in range(len(answers))] == list(answers)
        assert all(answer.tool_calls for answer in answers[:-1])
        assert answers[-1].text
        assert not answers[-1].tool_calls
        assert script(request(words, len(answers))) == Answer(text=SUGGESTION)


def test_one_turn_calls_no_tool_and_another_goes_on_behind_it() -> None:
    calls = [sum(len(answer.tool_calls) for answer in session().answers(turn)) for turn in range(4)]
    assert calls[2] == 0
    assert all(calls[:2])
    assert calls[3] > 0


def test_it_starts_from_a_clean_repository(tmp_path: Path) -> None:
    session(tmp_path).prepare(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == session().seeds["notes.txt"]
    done = subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_files_that_are_not_what_they_should_be_are_found(tmp_path: Path) -> None:
    one = session(tmp_path)
    for name, text in one.files.items():
        (tmp_path / name).write_text(text)
    assert one.misplaced(tmp_path) == []
    (tmp_path / "plan.txt").unlink()
    (tmp_path / "notes.txt").write_text("other words")
    assert len(one.misplaced(tmp_path)) == 2


@pytest.mark.parametrize("turn", range(4))
def test_each_way_to_stray_is_a_fault(turn: int) -> None:
    run, one = walked(turn), session()
    assert one.faults(turn, run) == []
    heard = run.heard
    strays = {
        "ended with 1": msgspec.structs.replace(run, returncode=1),
        "no such file": msgspec.structs.replace(run, heard=msgspec.structs.replace(heard, failed=("no such file",))),
        "tools were run": msgspec.structs.replace(run, heard=msgspec.structs.replace(heard, ran=heard.ran + 1)),
        "it ended with": msgspec.structs.replace(run, heard=msgspec.structs.replace(heard, said="Bye.")),
    }
    for words, stray in strays.items():
        assert any(words in fault for fault in one.faults(turn, stray)), words


def test_the_tools_of_sub_agents_may_be_told_of_or_not() -> None:
    one = scouts_session(Path("/srv/work"), OpenCode.hands)
    run = AgentRun(0, Heard(one.answers(0)[-1].text, 2), "", "", 1.0)
    assert one.faults(0, run) == []
    assert one.faults(0, msgspec.structs.replace(run, heard=Heard(run.heard.said, 6))) == []
    assert one.faults(0, msgspec.structs.replace(run, heard=Heard(run.heard.said, 3))) != []
    script = script_for(one)
    for _, arguments in one.answers(0)[0].tool_calls:
        assert script(request(json.loads(arguments)["prompt"])) in (
            one.scripts["deltanorth"][0],
            one.scripts["deltasouth"][0],
        )
