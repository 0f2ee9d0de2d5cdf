"""How pi is started: an extension of this process registers the gateway, and the key stands in no file."""

from __future__ import annotations

import json
import re

from keepwarm.clients.api import Door, Want
from keepwarm.clients.pi import KEY_VARIABLE, launch, wanted

DOOR = Door("http://127.0.0.1:8787", "qwen3", 65_536, key="gate")


def test_an_extension_registers_the_gateway() -> None:
    one = launch(DOOR, ["-p", "hi"], {}, "/own")
    assert one.arguments == (
        "-e",
        "/own/keepwarm-provider.js",
        "--provider",
        "keepwarm",
        "--model",
        "qwen3",
        "-p",
        "hi",
    )
    assert one.variables == {KEY_VARIABLE: "gate"}
    (text,) = one.files.values()
    assert "gate" not in text
    found = re.search(r'registerProvider\("keepwarm", (\{.*\})\);', text, re.DOTALL)
    assert found is not None
    provider = json.loads(found.group(1))
    assert (provider["baseUrl"], provider["apiKey"]) == ("http://127.0.0.1:8787/v1", KEY_VARIABLE)
    assert provider["models"][0]["contextWindow"] == 65_536


def test_the_users_choice_and_sub_commands_stand() -> None:
    assert launch(DOOR, ["--model", "x"], {}, "/own").arguments == ("-e", "/own/keepwarm-provider.js", "--model", "x")
    assert launch(DOOR, ["list"], {}, "/own").arguments == ("list",)


def test_what_its_files_get() -> None:
    assert wanted("settings", {}, Want(DOOR)) == {"defaultProvider": "keepwarm", "defaultModel": "qwen3"}
    provider = wanted("models", {}, Want(DOOR))["providers"]["keepwarm"]
    assert provider["apiKey"] == "keepwarm"
    assert (
        "apiKey"
        not in wanted("models", {"providers": {"keepwarm": {"apiKey": "x"}}}, Want(DOOR))["providers"]["keepwarm"]
    )
    assert wanted("models", {}, Want()) == {}
