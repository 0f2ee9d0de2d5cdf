"""How Cline is started: two files of this process, named by a variable."""

from __future__ import annotations

import json
from pathlib import Path

from keepwarm.clients.api import Door, Places, Want
from keepwarm.clients.cline import files, launch, wanted

DOOR = Door("http://127.0.0.1:8787", "qwen3", 65_536, key="gate")


def test_files_of_its_own_and_the_key_in_the_environment() -> None:
    one = launch(DOOR, ["do it"], {}, "/own")
    assert one.arguments == ("do it",)
    assert one.variables["CLINE_PROVIDER_SETTINGS_PATH"] == "/own/providers.json"
    assert (one.variables["CLINE_API_KEY"], one.variables["CLINE_MODEL"]) == ("gate", "qwen3")
    assert "gate" not in "".join(one.files.values())
    chosen = json.loads(one.files["providers.json"])["providers"]["openai-compatible"]["settings"]
    assert chosen["baseUrl"] == "http://127.0.0.1:8787/v1"
    models = json.loads(one.files["models.json"])["providers"]["openai-compatible"]["models"]
    assert models["qwen3"]["contextWindow"] == 65_536


def test_a_provider_that_is_there_keeps_its_key_and_date() -> None:
    there = {"providers": {"openai-compatible": {"settings": {"apiKey": "mine"}, "updatedAt": "2026-11-01"}}}
    said = wanted("providers", there, Want(DOOR))["providers"]["openai-compatible"]
    assert said == {
        "settings": {"provider": "openai-compatible", "model": "qwen3", "baseUrl": "http://127.0.0.1:8787/v1"}
    }
    assert wanted("providers", {}, Want(DOOR))["providers"]["openai-compatible"]["settings"]["apiKey"] == "keepwarm"
    assert wanted("models", {}, Want()) == {}


def test_folders_move_with_their_variables() -> None:
    def folder(**variables: str) -> Path:
        return files(Places(Path("/h"), Path("/p"), variables))[0].path.parent.parent

    assert folder() == Path("/h/.cline/data")
    assert folder(CLINE_DIR="/c") == Path("/c/data")
    assert folder(CLINE_DATA_DIR="/d") == Path("/d")
