"""`keepwarm fix`: what is shown, what is written on yes, what stays when it cannot be, and the way back."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from keepwarm.clients.api import Places
from keepwarm.config import Config, LedgerSettings
from keepwarm.errors import AgentError, ConfigError
from keepwarm.shell.fix import Fixing, Wish, fix
from tests.clients.corpus import CORPUS
from tests.shell.conftest import OpenGateway, OpenStub

OLD = b'{\r\n\t"model": "opus", \r\n\t"env": {"ANTHROPIC_API_KEY": "sk-ant-hunter2"}\r\n}'
HEADER = "CLAUDE_CODE_ATTRIBUTION_HEADER"


class Desk:
    """A machine with agents, and somebody who answers."""

    def __init__(self, folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.config = Config(port=port, ledger=LedgerSettings(path=str(folder / "data" / "ledger.sqlite")))
        self.asked: list[str] = []
        self.answer = True
        self.installed = {"claude": "2.1.328 (Claude Code)"}
        monkeypatch.setattr("keepwarm.shell.agents.program_of", self._program_of)
        self.file = folder / "home" / ".claude" / "settings.json"

    def _program_of(self, client: object) -> str | None:
        name = str(getattr(client, "program", ""))
        if name not in self.installed:
            return None
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{self.installed[name]}'\n")
        path.chmod(0o755)
        return str(path)

    def write(self, raw: bytes) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(raw)

    def fix(self, client: str = "", width: int = 200, **wish: object) -> tuple[int, str]:
        """(status, what is shown)."""

        def ask(question: str) -> bool:
            self.asked.append(question)
            return self.answer

        paper = io.StringIO()
        places = Places(self.folder / "home", self.folder / "work", {})
        fixing = Fixing(self.config, Wish(client, **wish), places, Console(file=paper, width=width), ask)  # type: ignore[arg-type]
        return fixing.run(), paper.getvalue()

    @property
    def backups(self) -> list[Path]:
        return sorted((self.folder / "data" / "backups").glob("*"))


@pytest.fixture
def desk(tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, free_port, monkeypatch)


def test_yes_writes_and_undo_gives_the_bytes_back(desk: Desk) -> None:
    desk.write(OLD)
    status, shown = desk.fix()
    assert (status, len(desk.asked)) == (0, 1)
    assert f'+    "env": {{"ANTHROPIC_API_KEY": "(hidden)", "{HEADER}": "0"}}' in shown
    assert "hunter2" not in shown
    assert "keepwarm fix claude --undo" in shown
    assert desk.file.read_bytes() == OLD.replace(b'hunter2"', b'hunter2", "CLAUDE_CODE_ATTRIBUTION_HEADER": "0"')
    assert desk.fix()[0] == 0
    assert len(desk.asked) == 1, "the second time there is nothing to ask"
    assert desk.fix("claude", undo=True)[0] == 0
    assert desk.file.read_bytes() == OLD
    assert desk.backups == []


@pytest.mark.parametrize("name", CORPUS)
def test_every_shape_is_written_once_and_comes_back(name: str, desk: Desk) -> None:
    desk.write(CORPUS[name])
    assert desk.fix(yes=True)[0] == 0
    written = desk.file.read_bytes()
    assert json.loads(written.decode("utf-8-sig"))["env"][HEADER] == "0"
    assert desk.fix(yes=True)[0] == 0
    assert desk.file.read_bytes() == written
    assert desk.fix(undo=True)[0] == 0
    assert desk.file.read_bytes() == CORPUS[name]
    assert desk.backups == []


def test_no_writes_nothing(desk: Desk) -> None:
    desk.write(OLD)
    desk.answer = False
    assert desk.fix()[0] == 1
    assert desk.file.read_bytes() == OLD
    assert desk.backups == []


def test_a_file_that_was_not_there_is_not_there_after_undo(desk: Desk) -> None:
    status, shown = desk.fix(yes=True)
    assert (status, desk.asked) == (0, [])
    assert json.loads(desk.file.read_bytes()) == {"env": {HEADER: "0"}}
    assert "it is new" in shown
    status, shown = desk.fix(undo=True)
    assert status == 0
    assert "there was none" in shown
    assert not (desk.folder / "home").exists()
    assert "nothing to undo" in desk.fix(undo=True)[1]


def test_the_project_and_the_user_are_two(desk: Desk) -> None:
    desk.fix(yes=True, scope="project")
    project = desk.folder / "work" / ".claude" / "settings.json"
    assert project.exists()
    assert not desk.file.exists()
    assert "nothing to undo" in desk.fix(undo=True)[1]
    assert desk.fix(undo=True, scope="project")[0] == 0
    assert not project.exists()


def test_a_file_that_is_not_valid_is_left_alone_and_the_others_are_written(desk: Desk) -> None:
    desk.installed["qwen"] = "0.24.4"
    broken = b'{\n  "a": 1 // mine\n}'
    desk.write(broken)
    status, shown = desk.fix(yes=True, gateway="http://127.0.0.1:8787")
    assert status == 1
    assert f"left alone: {desk.file}, line 2, column 10: a comment" in shown
    assert desk.file.read_bytes() == broken
    assert (desk.folder / "home" / ".qwen" / "settings.json").exists()


def test_a_symlink_stays(desk: Desk) -> None:
    real = desk.folder / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_bytes(b"{}")
    desk.file.parent.mkdir(parents=True)
    desk.file.symlink_to(real)
    status, shown = desk.fix(yes=True)
    assert status == 0
    assert f"is at {real}" in shown
    assert desk.file.is_symlink()
    assert HEADER in real.read_text()
    assert desk.fix(undo=True)[0] == 0
    assert (desk.file.is_symlink(), real.read_bytes()) == (True, b"{}")


def test_what_cannot_be_written_leaves_no_backup(desk: Desk) -> None:
    desk.write(OLD)
    desk.file.chmod(0o444)
    status, shown = desk.fix(yes=True)
    assert status == 1
    assert "read-only" in shown
    assert desk.file.read_bytes() == OLD
    assert desk.backups == []


def test_what_changes_between_question_and_answer_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write(OLD)
    ask: Callable[[str], bool] = lambda _: bool(desk.file.write_bytes(b'{"mine": 1}'))  # noqa: E731
    paper = io.StringIO()
    places = Places(desk.folder / "home", desk.folder / "work", {})
    assert Fixing(desk.config, Wish("claude"), places, Console(file=paper, width=200), ask).run() == 1
    assert "changed by another program" in paper.getvalue()
    assert desk.file.read_bytes() == b'{"mine": 1}'
    assert desk.backups == []


async def test_the_address_of_a_gateway_that_runs_is_written(
    desk: Desk, open_stub: OpenStub, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway((await open_stub()).url, key="")
    desk.config = Config(port=int(gateway.url.rsplit(":", 1)[1]), ledger=desk.config.ledger)
    status, _ = await asyncio.to_thread(desk.fix, yes=True)
    assert status == 0
    env = json.loads(desk.file.read_bytes())["env"]
    assert env == {HEADER: "0", "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1", "ANTHROPIC_BASE_URL": gateway.url}
    await asyncio.to_thread(desk.fix, undo=True)
    await asyncio.to_thread(desk.fix, yes=True, gateway="none")
    assert json.loads(desk.file.read_bytes())["env"] == {HEADER: "0"}


@pytest.mark.parametrize("given", ["http://h:1", "http://h:1/", "http://h:1/v1"])
def test_the_address_that_is_named_is_written(desk: Desk, given: str) -> None:
    desk.fix("claude", yes=True, gateway=given)
    assert json.loads(desk.file.read_bytes())["env"]["ANTHROPIC_BASE_URL"] == "http://h:1"


def test_what_an_old_version_does_not_understand_is_not_written(desk: Desk) -> None:
    desk.installed["claude"] = "2.1.114 (Claude Code)"
    desk.fix(yes=True, gateway="http://h:1")
    assert "HINT" not in desk.file.read_text()


def test_a_status_line_when_it_is_asked_for(desk: Desk) -> None:
    desk.fix(yes=True, statusline=True)
    line = json.loads(desk.file.read_bytes())["statusLine"]
    assert line["type"] == "command"
    assert line["command"].endswith(f"statusline --ledger {desk.config.ledger_path}")


def test_for_a_machine(desk: Desk) -> None:
    desk.write(OLD)
    status, shown = desk.fix(json=True)
    document = json.loads(shown)
    assert (status, desk.asked, desk.file.read_bytes()) == (1, [], OLD)
    assert (document["files"][0]["changed"], document["files"][0]["written"]) == (True, False)
    assert "hunter2" not in shown
    status, shown = desk.fix(json=True, yes=True)
    assert (status, json.loads(shown)["files"][0]["written"]) == (0, True)
    assert (desk.fix(json=True)[0], HEADER in desk.file.read_text()) == (0, True)


def test_brackets_and_control_characters_are_shown_as_they_are(desk: Desk) -> None:
    desk.write('{"[red]": "\u009b31m", "a": 1}'.encode())
    assert '"[red]": " 31m"' in desk.fix(yes=True)[1]


@pytest.mark.parametrize(
    ("client", "gateway", "error", "words"),
    [
        ("emacs", "", ConfigError, "use one of claude"),
        ("claude", "here", ConfigError, "write it as http://127.0.0.1:8787, or none"),
    ],
)
def test_what_cannot_be_begun(desk: Desk, client: str, gateway: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        desk.fix(client, gateway=gateway)


def test_without_any_agent_it_says_how_to_install_one(desk: Desk) -> None:
    desk.installed.clear()
    with pytest.raises(AgentError, match="npm install -g opencode-ai"):
        desk.fix()
    assert desk.fix("claude", yes=True)[0] == 0, "one that is named need not be on the path"


def test_without_a_terminal_nothing_is_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(desk.folder / "home"))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    paper = io.StringIO()
    assert fix(desk.config, Wish("claude"), Console(file=paper, width=200)) == 1
    assert "with --yes" in paper.getvalue()
    assert not desk.file.exists()
