"""Agents on this machine. How one is run to its end: test_run.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.clients.api import Launch
from keepwarm.clients.claude import CLAUDE
from keepwarm.errors import AgentError
from keepwarm.shell.agents import environment_for, own_folder, perform, program_of, require_program, version_on


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, text: str) -> str:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_where_it_is_and_how_it_is_installed(programs: Path) -> None:
    assert program_of(CLAUDE) is None
    with pytest.raises(AgentError, match=r"Claude Code is not installed .*: npm install -g @anthropic-ai/claude-code"):
        require_program(CLAUDE)
    path = program(programs, "")
    assert program_of(CLAUDE) == require_program(CLAUDE) == path


@pytest.mark.parametrize(
    ("text", "version"),
    [("echo '2.1.328 (Claude Code)'", (2, 1, 328)), ("exit 3", ()), ("echo no version", ())],
)
def test_its_version(programs: Path, text: str, version: tuple[int, ...]) -> None:
    assert version_on(program(programs, text)) == version


def test_a_program_that_cannot_be_started_has_no_version(tmp_path: Path) -> None:
    assert version_on(str(tmp_path / "none")) == ()


def test_its_environment() -> None:
    launch = Launch((), {"A": "new"}, without=("SECRET",))
    caller = {"A": "old", "SECRET": "x", "KEPT": "y", "NO_PROXY": "corp,localhost"}
    found = environment_for(launch, caller)
    assert found == {
        "A": "new",
        "KEPT": "y",
        "NO_PROXY": "corp,localhost,127.0.0.1,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
    }


def test_its_own_files(programs: Path) -> None:
    out = programs / "out"
    launch = Launch(("one", "two words"), files={"a.json": "{}"})
    with own_folder() as folder:
        text = f'/bin/cat {folder}/a.json > {out}; echo "$@" >> {out}; exit 4'
        assert perform(program(programs, text), launch, Path(folder)) == 4
    assert out.read_text() == "{}one two words\n"
    assert not Path(folder).exists()


def test_what_ends_by_a_signal_has_the_shells_status(programs: Path, tmp_path: Path) -> None:
    assert perform(program(programs, "kill -9 $$"), Launch(()), tmp_path) == 137


def test_what_cannot_be_started_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be started: No such file"):
        perform(str(tmp_path / "none"), Launch(()), tmp_path)
