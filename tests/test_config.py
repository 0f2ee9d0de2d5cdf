"""Settings: where they come from, which wins, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keepwarm.config import Config, RuleSettings, UpstreamSettings, check, default_ledger, is_loopback, load, override
from keepwarm.errors import ConfigError
from keepwarm.exchange.routing import Ways
from keepwarm.rules.api import Safety
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import rule_book

WHOLE = """
engine_slots = 2
host = "localhost"
port = 1234
key = "k"

[upstream]
url = "https://models.example:8443/v1"
kind = "llamacpp"
rewrite = false
slots = false

[rules]
level = "exact"
off = ["VOL002"]
on = ["HIS006"]

[upstream.rules]
hold_tools = true

[clients.qwen-code]
level = "order"

[clients."claude-cli/2.1.39*"]
on = ["VOL002"]

[ledger]
path = "~/kept.sqlite"
record = true
"""


def written(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "keepwarm.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    config = check(load(written(tmp_path, WHOLE)))
    assert config.upstream == UpstreamSettings(
        url="https://models.example:8443/v1",
        kind="llamacpp",
        rewrite=False,
        slots=False,
        rules=RuleSettings(hold_tools=True),
    )
    assert (config.engine_slots, config.host, config.port, config.key) == (2, "localhost", 1234, "k")
    assert config.rules == RuleSettings("exact", ("VOL002",), ("HIS006",))
    assert config.clients == {"qwen-code": RuleSettings("order"), "claude-cli/2.1.39*": RuleSettings(on=("VOL002",))}
    assert (config.ledger.record, config.ledger_path) == (True, Path.home() / "kept.sqlite")


def test_each_client_gets_the_rules_of_its_tables(tmp_path: Path) -> None:
    shelf = load(written(tmp_path, WHOLE)).shelf()
    assert {rule.code for rule in shelf.book("pi/0.73").rules} == {
        code for code, rule in CODES.items() if rule.on and rule.safety == Safety.EXACT
    }
    assert shelf.book("pi/0.73").hold_tools
    assert shelf.book("claude-cli/2.1.39").has("VOL002")
    assert not shelf.book("claude-cli/2.1.114").has("VOL002")
    assert shelf.book("qwen-code/0.24").has("ROL001")
    assert not shelf.book("qwen-code/0.24").has("VOL002")
    assert Config().shelf().book("").rules == rule_book().rules


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rules]\noff = ['VOL999']", r"\[rules\] off: there is no rule VOL999"),
        ("[upstream.rules]\non = ['VOL999']", r"\[upstream.rules\] on: there is no rule VOL999"),
        (
            "[clients.'qwen-code/0.2*']\non = ['x']",
            r'\[clients."qwen-code/0.2\*"\] on: there is no rule x: `keepwarm rule`',
        ),
    ],
)
def test_a_rule_that_there_is_not_is_named_with_its_table(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(written(tmp_path, text)).shelf()


def test_the_way_to_a_server_is_told_by_its_address_and_the_settings() -> None:
    ways = UpstreamSettings(url="https://api.openai.com/v1", model="m", cache_key=False, affinity_headers=("x-a",))
    assert Config(upstream=ways).ways() == Ways("api.openai.com", "m", False, ("x-a",))
    assert Config().ways() == Ways("", "", None, ("x-session-id", "x-session-affinity", "x-smg-routing-key"))


def test_the_file_of_this_folder_is_read_and_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Config()
    written(tmp_path, "port = 1\n")
    assert load(None).port == 1


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read \(No such file"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port =", "is not valid TOML"),
        ("upstrem = 1", "there is no setting upstrem: there are upstream, rules, clients, ledger, alerts, engine, "),
        (
            "[upstream]\nurll = 'x'",
            "there is no setting upstream.urll: there are url, kind, model, key, rewrite, slots, ",
        ),
        ("[upstream.rules]\noff = 'x'", "upstream.rules.off: expected `array`, got `str`"),
        (
            "[clients.a]\n[clients.b]\nlvl = 1",
            "there is no setting clients.b.lvl: there are level, off, on, hold_tools",
        ),
        (
            "[clients.'a/1*']\nlevel = 'max'",
            "clients.\"a/1*\".level: invalid enum value 'max': use one of exact, order",
        ),
        ("[clients]\na = 1", "clients.a: expected `object`, got `int`"),
        ("clients = 1", "clients: expected `object`, got `int`"),
        ("port = 'x'", "port: expected `int`, got `str`"),
        ("[ledger]\nrecord = 'yes'", "ledger.record: expected `bool`, got `str`"),
        ("[upstream]\nkind = 'vllm'", "upstream.kind: invalid enum value 'vllm': use one of llamacpp, anthropic, chat"),
        ("[rules]\nlevel = 'max'", "rules.level: invalid enum value 'max': use one of exact, order, meaning"),
        ("[rules]\noff = 'VOL001'", "rules.off: expected `array`, got `str`"),
        ("[rules]\noff = [1]", "rules.off[0]: expected `str`, got `int`"),
        ("upstream = 'http://127.0.0.1'", "upstream: expected `object`, got `str`"),
    ],
)
def test_a_wrong_file_is_named_with_the_setting_and_what_it_may_be(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "keepwarm.toml"
    path.write_bytes(b"key = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(path)


def test_what_is_given_wins_and_what_is_not_given_stays() -> None:
    config = override(Config(port=1, key="old"), port=None, key="new", upstream__url="http://h", upstream__kind=None)
    assert config == Config(port=1, key="new", upstream=UpstreamSettings(url="http://h"))
    # False and nothing at all are words too.
    config = override(Config(engine="demo"), keep=False, engine="")
    assert (config.keep, config.engine) == (False, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "0.0.0.0"}, "set a key"),
        ({"host": ""}, "set a key"),
        ({"host": "example.com"}, "KEEPWARM_KEY"),
        ({"upstream__url": "http://h", "engine": "demo"}, "leave one out"),
        ({"port": 65536}, "use 0 to 65535"),
        ({"port": -1}, "use 0 to 65535"),
        ({"upstream__url": "127.0.0.1:8080"}, "write it as http://127.0.0.1:8080"),
        ({"upstream__url": "ftp://host"}, "write it as"),
        ({"upstream__url": "http://"}, "write it as"),
        ({"upstream__url": "http://[::1"}, "write it as"),
        ({"upstream__url": "http://host:port"}, "write it as"),
        ({"upstream__affinity_headers": ("X-Ok", "x y")}, "'x y' in upstream.affinity_headers is no name of a header"),
        ({"upstream__kind": "vllm"}, "there is no upstream kind 'vllm': use one of llamacpp, anthropic, chat"),
        ({"engine_slots": 0}, "engine_slots is 0: use 1 or more"),
        ({"engine_context": -1}, "engine_context is -1: use 0 or more"),
        ({"max_body": 0}, "max_body is 0: use 1 or more"),
    ],
)
def test_what_cannot_be_served_is_said_with_what_to_change(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(override(Config(), **given))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "0.0.0.0", "key": "k"},
        {"host": "::1"},
        {"upstream__url": "http://[::1]:8080/v1"},
        {"upstream__url": "https://models.example"},
        {"engine": "demo", "port": 0},
    ],
)
def test_what_can_be_served_is_left_as_it_is(given: dict[str, Any]) -> None:
    config = override(Config(), **given)
    assert check(config) is config


@pytest.mark.parametrize(
    ("host", "only_here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.2", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here


def test_the_ledger_is_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_ledger() == Path.home() / ".local/share/keepwarm/ledger.sqlite"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Config().ledger_path == tmp_path / "keepwarm/ledger.sqlite"
