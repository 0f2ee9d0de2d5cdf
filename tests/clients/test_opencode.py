"""How OpenCode is started: a configuration of its own process, laid over what the user has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keepwarm.clients.api import Door, Places
from keepwarm.clients.opencode import CONTENT, files, launch

DOOR = Door("http://127.0.0.1:8787", "qwen3", 65_536)


def content(*arguments: str, door: Door = DOOR, before: str = "") -> Any:
    one = launch(door, arguments, {CONTENT: before}, "")
    assert one.arguments == arguments
    return json.loads(one.variables[CONTENT])


def test_a_provider_and_its_model() -> None:
    said = content("run", "hi")
    assert said["model"] == "keepwarm/qwen3"
    provider = said["provider"]["keepwarm"]
    assert provider["options"] == {"baseURL": "http://127.0.0.1:8787/v1", "apiKey": "keepwarm"}
    assert provider["models"] == {"qwen3": {"name": "qwen3", "limit": {"context": 65_536, "output": 8_192}}}


def test_the_gateways_key_and_a_model_without_a_name() -> None:
    said = content(door=Door("http://h:1", key="gate"))
    assert said["provider"]["keepwarm"]["options"]["apiKey"] == "gate"
    assert said["provider"]["keepwarm"]["models"] == {"local-model": {"name": "local-model"}}


def test_the_users_choice_of_a_model_stands() -> None:
    assert "model" not in content("run", "-m", "other/x", "hi")


def test_what_the_user_has_said_in_the_same_way_is_kept() -> None:
    mine = json.dumps({"theme": "x", "provider": {"mine": {}}, "model": "mine/x"})
    said = content(before=mine)
    assert said["theme"] == "x"
    assert set(said["provider"]) == {"mine", "keepwarm"}
    assert content(before="{")["model"] == content(before="[]")["model"] == "keepwarm/qwen3"


def test_of_two_names_the_one_that_is_there(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "work", {"XDG_CONFIG_HOME": str(tmp_path / "c")})
    assert [one.path.name for one in files(places)] == ["opencode.json", "opencode.json"]
    (tmp_path / "c" / "opencode").mkdir(parents=True)
    (tmp_path / "c" / "opencode" / "opencode.jsonc").touch()
    assert files(places)[0].path == tmp_path / "c" / "opencode" / "opencode.jsonc"
