"""The scripts: whole, unambiguous, and a run that does not walk through them is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.claude_code import ClaudeRun
from keepwarm.testing.claude_sessions import (
    TITLE,
    ClaudeSession,
    interleaved_sessions,
    main_session,
    script_for,
    subagent_session,
)

WORK = Path("/srv/work")
TOOLS = [{"type": "function", "function": {"name": "Bash"}}]


def sessions() -> list[ClaudeSession]:
    return [main_session(WORK), subagent_session(WORK, "2.1.39"), *interleaved_sessions(WORK / "1", WORK / "2")]


def request(text: str, answered: int = 0, tools: list[Any] | None = None) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}, *[{"role": "assistant", "content": "x"}] * answered]
    return {"messages": messages, "tools": TOOLS if tools is None else tools}


def walked(session: ClaudeSession, workdir: Path) -> ClaudeRun:
    """A run as it should be, with the files as they should lie."""
    for name, text in session.files.items():
        (workdir / name).write_text(text)
    results = [{"type": "tool_result", "content": "fine"}] * session.tool_calls()
    closing = [{"type": "result", "result": words} for words in session.closing_words()]
    events: tuple[dict[str, Any], ...] = ({"type": "user", "message": {"content": results}}, *closing)
    return ClaudeRun(returncode=0, stdout="", stderr="", events=events, seconds=1.0)


@pytest.mark.parametrize("session", sessions(), ids=lambda session: session.name)
def test_every_turn_is_answered_to_its_end(session: ClaudeSession) -> None:
    script = script_for(session)
    for turn in (*session.turns, session.continuation):
        answers = session.scripts[turn.rsplit("SCRIPT ", 1)[1]]
        assert [script(request(turn, step)) for step in range(len(answers))] == list(answers)
        assert all(answer.tool_calls for answer in answers[:-1])
        assert answers[-1].text
        assert not answers[-1].tool_calls


@pytest.mark.parametrize("session", sessions(), ids=lambda session: session.name)
def test_arguments_are_what_a_server_that_prints_them_anew_would_print(session: ClaudeSession) -> None:
    for answer in (answer for answers in session.scripts.values() for answer in answers):
        for _, arguments in answer.tool_calls:
            assert json.dumps(json.loads(arguments), ensure_ascii=False) == arguments
        assert answer.thinking == answer.thinking.strip()
        assert answer.text == answer.text.strip()


def test_the_main_session_is_what_rewriting_shows_on() -> None:
    session = main_session(WORK)
    calls = [call for answers in session.scripts.values() for answer in answers for call in answer.tool_calls]
    bash = [json.loads(arguments) for name, arguments in calls if name == "Bash"]
    assert all(arguments["command"].startswith(f"cd {WORK} && ") for arguments in bash)
    assert all(next(iter(arguments)) == "description" for arguments in bash)
    assert {name for name, _ in calls} == {"Bash", "Write", "Read", "Edit"}
    assert all("replace_all" not in arguments for name, arguments in calls if name == "Edit")
    assert any(len(arguments) > 3000 and "  \\n" in arguments for name, arguments in calls if name == "Write")
    assert sum(len(session.scripts[turn.rsplit("SCRIPT ", 1)[1]]) for turn in session.turns) >= 6


def test_sessions_on_one_server_do_not_answer_for_each_other() -> None:
    first, second = interleaved_sessions(WORK / "1", WORK / "2")
    script = script_for(first, second)
    assert script(request(first.turns[0])) == first.scripts["betaone"][0]
    assert script(request(second.turns[0])) == second.scripts["gammaone"][0]


def test_a_title_call_that_quotes_the_prompt_gets_a_title() -> None:
    session = main_session(WORK)
    assert script_for(session)(request(session.turns[0], tools=[])) == Answer(text=TITLE)


def test_the_sub_agent_tool_is_called_by_its_name_of_the_time() -> None:
    names = {
        version: {
            name for answer in subagent_session(WORK, version).scripts["deltaone"] for name, _ in answer.tool_calls
        }
        for version in ("2.1.39", "2.1.114", "2.1.328")
    }
    assert names == {"2.1.39": {"Task", "Bash"}, "2.1.114": {"Agent", "Bash"}, "2.1.328": {"Agent", "Bash"}}


def test_a_session_starts_from_its_seeds(tmp_path: Path) -> None:
    session = main_session(tmp_path / "work")
    session.prepare(tmp_path / "work")
    assert (tmp_path / "work" / "notes.txt").read_text() == session.seeds["notes.txt"]
    assert session.files["notes.txt"] != session.seeds["notes.txt"]


def test_a_run_that_walked_through_has_no_faults(tmp_path: Path) -> None:
    session = main_session(tmp_path)
    assert session.faults(walked(session, tmp_path), tmp_path) == []


def test_each_way_to_stray_is_a_fault(tmp_path: Path) -> None:
    session = main_session(tmp_path)
    run = walked(session, tmp_path)
    failed = {"type": "tool_result", "content": "no such file", "is_error": True}
    strays = {
        "ended with 1": msgspec.structs.replace(run, returncode=1),
        "no such file": msgspec.structs.replace(
            run, events=(*run.events, {"type": "user", "message": {"content": [failed]}})
        ),
        "0 tools were run": msgspec.structs.replace(run, events=run.events[1:]),
        "the turns ended with": msgspec.structs.replace(run, events=run.events[:-1]),
    }
    for words, stray in strays.items():
        assert any(words in fault for fault in session.faults(stray, tmp_path)), words
    (tmp_path / "plan.txt").write_text("other words")
    assert session.faults(run, tmp_path) == ["plan.txt is not what the tools should have left"]


def test_a_notification_may_start_a_turn_that_nobody_typed(tmp_path: Path) -> None:
    foreground, background = (subagent_session(tmp_path, "2.1.328", background=mode) for mode in (False, True))
    run = walked(background, tmp_path)
    extra = {"type": "result", "result": "There is nothing more to say."}
    run = msgspec.structs.replace(run, events=(*run.events[:2], extra, *run.events[2:]))
    assert background.faults(run, tmp_path) == []
    assert len(foreground.faults(run, tmp_path)) == 1
