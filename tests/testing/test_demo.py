"""The command says what to do when it cannot run, and prints what was measured."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from rich.console import Console

from keepwarm.errors import EngineError
from keepwarm.testing import demo as command
from keepwarm.testing.demo_play import DemoResult
from tests.testing.demo_figures import made_up


def test_an_unknown_model_and_a_missing_one_are_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.demo("other") == 1
    assert "choose one of demo, tiny" in capsys.readouterr().err

    def missing() -> Path:
        raise EngineError("The demo model is not installed: run `make setup`.")

    monkeypatch.setattr(command, "find_demo_model", missing)
    assert command.demo("demo") == 1
    assert "run `make setup`" in capsys.readouterr().err


def test_the_line_that_starts_claude_code_fits_the_model() -> None:
    assert "--tools ''" in command.agent_line("demo", "http://127.0.0.1:8787")
    line = command.agent_line("tiny", "http://127.0.0.1:8787")
    assert line.startswith("ANTHROPIC_BASE_URL=http://127.0.0.1:8787 ")
    assert line.endswith(" claude")


def test_json_holds_the_whole_result(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def measured(model: str, console: Console) -> DemoResult:
        return made_up()

    monkeypatch.setattr(command, "measured", measured)
    assert command.demo("tiny", json_output=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["keepwarm"]["turns"][2]["prefilled_tokens"] == 150


def test_it_serves_elsewhere_when_the_usual_port_is_taken(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setattr(command, "DEFAULT_PORT", free_port)
    assert command.usual_port() == free_port
    with socket.create_server(("127.0.0.1", free_port)):
        assert command.usual_port() == 0
