"""Agents on the path, their versions, and the files they would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.checks.habits import known_habits
from keepwarm.shell import clients_here
from keepwarm.shell.clients_here import installed_agents, settings_places
from keepwarm.testing.agent_process import bare_environment
from keepwarm.testing.claude_code import find_client


def program(folder: Path, name: str, script: str) -> None:
    """A shell script that can be run."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_agents_are_asked_for_their_version_and_see_no_key(tmp_path: Path) -> None:
    program(tmp_path, "claude", 'echo "2.1.114 (Claude Code) $1 key=$ANTHROPIC_API_KEY"; echo more')
    program(tmp_path, "opencode", "echo broken; exit 3")
    (tmp_path / "pi").write_text("no program")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "ANTHROPIC_API_KEY": "sk-secret"}
    found = {one.name: one for one in await installed_agents(environment)}
    assert found.keys() == {"claude", "opencode"}
    assert found["claude"].version == "2.1.114 (Claude Code) --version key="
    assert found["claude"].path == str(tmp_path / "claude")
    assert found["opencode"].version == ""


async def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_here, "VERSION_SECONDS", 0.1)
    program(tmp_path, "claude", "exec sleep 60")
    (one,) = await installed_agents({"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert one.version == ""


async def test_no_agent_on_an_empty_path(tmp_path: Path) -> None:
    assert await installed_agents({"PATH": str(tmp_path)}) == []


def test_settings_files_are_read_from_the_folder_and_the_home(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "project"
    for place, text in ((home, b'{"a": 1}'), (folder, b"\xff\xfe")):
        (place / ".claude").mkdir(parents=True)
        (place / ".claude" / "settings.json").write_bytes(text)
    (folder / ".claude" / "settings.local.json").symlink_to(tmp_path / "gone")
    local, project, user = settings_places(home, folder, {})
    assert (user.path, user.text) == ("~/.claude/settings.json", '{"a": 1}')
    assert project.text is None
    assert "UTF-8" in project.fault
    assert local.text is None
    assert local.fault


def test_in_the_home_itself_a_file_counts_once(tmp_path: Path) -> None:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text("{}")
    assert [one.path for one in settings_places(tmp_path, tmp_path, {})] == ["~/.claude/settings.json"]


def test_the_users_folder_may_be_moved(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "settings.json").write_text("{}")
    places = settings_places(tmp_path, tmp_path / "project", {"CLAUDE_CONFIG_DIR": str(tmp_path / "moved")})
    assert [one.path for one in places] == ["~/moved/settings.json"]


@pytest.mark.parametrize(("version", "code"), [("2.1.114", "header-each-request"), ("2.1.328", "header-each-session")])
async def test_the_real_claude_code_is_known_by_what_it_says(version: str, code: str, tmp_path: Path) -> None:
    environment = bare_environment(tmp_path)
    path = f"{find_client(version).parent}:{environment['PATH']}"
    found = {one.name: one for one in await installed_agents({"PATH": path, "HOME": str(tmp_path)})}
    assert found["claude"].version == f"{version} (Claude Code)"
    assert known_habits("claude", found["claude"].version)[0].code == code
