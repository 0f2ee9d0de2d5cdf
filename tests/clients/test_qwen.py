"""How Qwen Code is started: its file's model wins over the environment, so the model is an argument."""

from __future__ import annotations

from keepwarm.clients.api import Door, Want
from keepwarm.clients.qwen import launch, wanted

DOOR = Door("http://127.0.0.1:8787", "qwen3")


def test_address_and_key_in_the_environment_and_the_model_as_an_argument() -> None:
    one = launch(DOOR, ["-p", "hi"], {"OPENAI_API_KEY": "sk-real"}, "")
    assert one.arguments == ("--auth-type", "openai", "--model", "qwen3", "-p", "hi")
    assert one.variables == {
        "OPENAI_BASE_URL": "http://127.0.0.1:8787/v1",
        "OPENAI_MODEL": "qwen3",
        "OPENAI_API_KEY": "keepwarm",
    }


def test_a_key_goes_on_to_a_server_that_sells_answers() -> None:
    far = Door("http://h:1", "m", local=False)
    assert "OPENAI_API_KEY" not in launch(far, [], {"OPENAI_API_KEY": "sk-real"}, "").variables
    assert launch(far, [], {}, "").variables["OPENAI_API_KEY"] == "keepwarm"
    gated = Door("http://h:1", "m", local=False, key="gate")
    assert launch(gated, [], {"OPENAI_API_KEY": "sk-real"}, "").variables["OPENAI_API_KEY"] == "gate"


def test_the_users_choice_and_sub_commands_stand() -> None:
    assert launch(DOOR, ["-m", "x"], {}, "").arguments == ("--auth-type", "openai", "-m", "x")
    assert launch(DOOR, ["mcp", "list"], {}, "").arguments == ("mcp", "list")


def test_what_settings_get() -> None:
    auth = {"selectedType": "openai", "baseUrl": "http://127.0.0.1:8787/v1"}
    assert wanted("", {}, Want(DOOR)) == {
        "security": {"auth": auth | {"apiKey": "keepwarm"}},
        "model": {"name": "qwen3"},
    }
    mine = {"security": {"auth": {"apiKey": "mine"}}}
    assert wanted("", mine, Want(Door(DOOR.url))) == {"security": {"auth": auth}}
