"""What is to be done to files of every shape: only the intended settings, the same result the second time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keepwarm.clients.api import Client, Door, Places, SettingsFile, Want
from keepwarm.clients.claude import CLAUDE
from keepwarm.clients.plan import Plan, as_json, plan
from keepwarm.clients.registry import CLIENTS
from keepwarm.clients.settings_file import put
from keepwarm.codec.jsonc import parse, value_of
from keepwarm.errors import SettingsError
from tests.clients.corpus import CORPUS

NAME = "CLAUDE_CODE_ATTRIBUTION_HEADER"
DOOR = Door("http://127.0.0.1:8787", "qwen3-coder", 65_536)
NOTHING = Want()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "home", tmp_path / "work", {})


def user_file(client: Client, places: Places) -> SettingsFile:
    return next(file for file in client.files(places) if file.scope == "user")


def planned(raw: bytes | None, places: Places, want: Want = NOTHING, client: Client = CLAUDE) -> Plan:
    file = user_file(client, places)
    if raw is not None:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(raw)
    made = plan(client, file, want, places)
    assert made is not None
    return made


def said(raw: bytes, client: Client, places: Places) -> Any:
    text = raw.decode("utf-8-sig")
    root = parse(text, user_file(client, places).dialect)
    return value_of(text, root) if root else {}


@pytest.mark.parametrize("name", CORPUS)
def test_only_what_is_intended_changes(name: str, places: Places) -> None:
    raw = CORPUS[name]
    made = planned(raw, places)
    # Claude Code reads strict JSON, and so does Python.
    before = json.loads(raw.decode("utf-8-sig").strip() or "{}")
    after = json.loads(made.written.decode("utf-8-sig"))
    before.setdefault("env", {})[NAME] = "0"
    assert after == before
    assert list(after)[: len(before) - 1] == list(before)[: len(before) - 1]
    assert made.written.startswith(b"\xef\xbb\xbf") == raw.startswith(b"\xef\xbb\xbf")
    assert (b"\r\n" in made.written) == (b"\r\n" in raw)
    assert made.written.count(b"\r") == (made.written.count(b"\n") if b"\r\n" in raw else 0)
    # Each byte of before is there yet, in its order, but for a value that is replaced.
    if NAME.encode() not in raw and name != "huge":
        rest = iter(made.written)
        assert all(byte in rest for byte in raw)
    # A second time there is nothing to do.
    again = planned(made.written, places)
    assert (again.diff, again.written) == ((), made.written)


def test_a_file_that_is_not_there(places: Places) -> None:
    made = planned(None, places)
    assert made.found.raw is None
    assert made.written == b'{\n  "env": {\n    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0"\n  }\n}\n'


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{\n  // mine\n  "a": 1\n}', "line 2, column 3"),
        (b'{\n  "a": 1,\n}', "line 2, column 9"),
        (b'{"a": 1', "line 1, column 8"),
        (b'{"env": []}', "line 1, column 9"),
        (b'{"env": "A=b"}', "line 1, column 9"),
        (b"[]", "line 1, column 1"),
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
    ],
)
def test_what_claude_code_does_not_read_is_left_alone(raw: bytes, place: str, places: Places) -> None:
    with pytest.raises(SettingsError) as error:
        planned(raw, places)
    assert place in str(error.value)
    assert user_file(CLAUDE, places).path.read_bytes() == raw


def test_comments_and_commas_stay_where_they_are_read(places: Places) -> None:
    raw = b'// mine\n{\n  "theme": "x", // kept\n  "provider": {\n    /* other */\n    "other": {},\n  },\n}\n'
    made = planned(raw, places, Want(DOOR), CLIENTS["opencode"])
    text = made.written.decode()
    for remark in ("// mine\n", '"x", // kept\n', "/* other */\n"):
        assert remark in text
    after = said(made.written, CLIENTS["opencode"], places)
    assert after["provider"]["other"] == {}
    assert after["provider"]["keepwarm"]["options"]["baseURL"] == "http://127.0.0.1:8787/v1"
    assert after["theme"] == "x"


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_gets_its_gateway_and_the_same_the_second_time(name: str, places: Places) -> None:
    client = CLIENTS[name]
    for file in client.files(places):
        want = Want(DOOR, (2, 1, 328))
        made = plan(client, file, want, places)
        assert made is not None
        put(made.found, made.written)
        again = plan(client, file, want, places)
        assert again is not None
        assert again.diff == ()
        assert "8787" in made.written.decode() or "keepwarm" in made.written.decode()


@pytest.mark.parametrize("name", ["opencode", "qwen", "pi", "cline"])
def test_a_key_that_stands_there_stays(name: str, places: Places) -> None:
    client = CLIENTS[name]
    first = planned(None, places, Want(DOOR), client)
    assert b'"apiKey": "keepwarm"' in first.written
    mine = first.written.replace(b'"apiKey": "keepwarm"', b'"apiKey": "mine"').replace(b"8787", b"1111")
    second = planned(mine, places, Want(DOOR), client)
    assert second.written == mine.replace(b"1111", b"8787")
    assert "mine" not in "".join(second.diff)


def test_a_projects_file_is_read_as_its_agent_reads_it(places: Places) -> None:
    places.project.mkdir()
    (places.project / "opencode.json").write_text('{"model": "other/x", // mine\n}')
    (note,) = planned(None, places, Want(DOOR), CLIENTS["opencode"]).notes
    assert note == f"{places.project / 'opencode.json'} wins over this file and says otherwise: model"


@pytest.mark.parametrize("name", ["opencode", "qwen", "pi", "cline"])
def test_without_a_gateway_the_others_have_nothing_to_write(name: str, places: Places) -> None:
    client = CLIENTS[name]
    assert [plan(client, file, Want(), places) for file in client.files(places)] == [None] * len(client.files(places))


# What a person should know


def test_what_wins_is_told(places: Places) -> None:
    local = places.project / ".claude" / "settings.local.json"
    local.parent.mkdir(parents=True)
    local.write_text(json.dumps({"env": {NAME: "1", "B": "c"}}))
    (local.parent / "settings.json").write_text(json.dumps({"env": {NAME: "0"}}))
    notes = planned(None, places).notes
    assert notes == (f"{local} wins over this file and says otherwise: env.{NAME}",)


def test_a_managed_setting_is_told(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = tmp_path / "managed-settings.json"
    managed.write_text(json.dumps({"env": {NAME: "1"}}))
    monkeypatch.setattr("keepwarm.clients.claude.managed_folder", lambda: tmp_path)
    assert planned(None, places).notes == (f"{managed} wins over this file and says otherwise: env.{NAME}",)
    (tmp_path / "managed-settings.d").mkdir()
    part = managed.rename(tmp_path / "managed-settings.d" / "10.json")
    assert planned(None, places).notes == (f"{part} wins over this file and says otherwise: env.{NAME}",)


def test_a_variable_that_says_otherwise_is_told(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "work", {NAME: "1"})
    (note,) = planned(None, places).notes
    assert note == f"{NAME} in your environment says otherwise, and loses to this file"


def test_a_variable_that_wins_is_told(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "work", {"OPENAI_BASE_URL": "http://else/v1"})
    (note,) = planned(None, places, Want(DOOR), CLIENTS["qwen"]).notes
    assert note == "OPENAI_BASE_URL is set in your environment and wins over this file: take it out there"


def test_what_keeps_claude_code_from_the_gateway_is_told(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path / "work", {"CLAUDE_CODE_USE_BEDROCK": "1"})
    notes = planned(None, places, Want(Door("http://127.0.0.1:1", key="secret-key"))).notes
    assert any("export ANTHROPIC_AUTH_TOKEN=keepwarm" in note for note in notes)
    assert any("CLAUDE_CODE_USE_BEDROCK is set" in note for note in notes)
    assert any("the gateway wants its key" in note for note in notes)
    assert not any("secret-key" in note for note in notes)
    keyed = planned(b'{"env": {"ANTHROPIC_API_KEY": "x"}}', places, Want(Door("http://127.0.0.1:1")))
    assert not any("ANTHROPIC_AUTH_TOKEN" in note for note in keyed.notes)


def test_as_json(places: Places) -> None:
    made = planned(None, places)
    document = json.loads(as_json([made], {"f": "line 1"}, lambda _: False))
    assert document["files"][0]["changed"] is True
    assert document["files"][0]["written"] is False
    assert document["left_alone"] == {"f": "line 1"}
