"""One short line, whatever is wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from keepwarm.ledger.glance import Glance
from keepwarm.ledger.store import Ledger
from keepwarm.views.statusline import NOTHING_YET, draw, line, session_of
from tests.ledger.samples import a_record


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (None, "keepwarm: no requests yet"),
        (Glance(4, 3300, 3230, 600, "HIS005", 3), "keepwarm 97.8% reused, last lost: HIS005, 3 requests ago"),
        (Glance(4, 3300, 3230, 600, "HIS005", 1), "keepwarm 97.8% reused, last lost: HIS005, 1 request ago"),
        (Glance(4, 3300, 0, 600, "", 0), "keepwarm 0% reused, last lost: no known cause, just now"),
        (Glance(4, 3300, 3299, 0, "", 0), "keepwarm 99.9% reused, nothing lost"),
        (Glance(1, 0, 0, 0, "", 0), "keepwarm: 1 request, the server does not say what it reused"),
        (Glance(4, 10, 5, 5, "X\x1b[31m\n", 0), "keepwarm 50.0% reused, last lost: X [31m , just now"),
    ],
)
def test_what_is_shown(seen: Glance | None, shown: str) -> None:
    assert line(seen) == shown
    assert shown.isascii()


@pytest.mark.parametrize(
    ("said", "session"),
    [
        ('{"session_id": "abc", "model": {}}', "abc"),
        ('{"cwd":"/a \\"session_id\\":\\"no\\"","session_id":"abc-1"}', "abc-1"),
        ('{\n  "session_id"\n : "abc"\n}', "abc"),
        ('{"session_id": "a\\u0062"}', ""),
        ('{"session_id": "a', ""),
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ('{"session_id": 1}', ""),
        ("[" * 9999, ""),
    ],
)
def test_the_session_in_what_it_is_told(said: str, session: str) -> None:
    assert session_of(said) == session


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    store = Ledger(path)
    store.put(a_record(id="a", session="s-one"))
    store.close()
    return path


def drawn(monkeypatch: pytest.MonkeyPatch, said: str, *arguments: str) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    return draw(arguments)


def test_the_ledger_is_found(ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    asking = json.dumps({"session_id": "s-one"})
    assert drawn(monkeypatch, asking) == NOTHING_YET
    assert "reused" in drawn(monkeypatch, asking, "--ledger", str(ledger))
    assert "reused" in drawn(monkeypatch, asking, f"--ledger={ledger}")
    (tmp_path / "keepwarm.toml").write_text("[ledger]\npath = 'ledger.sqlite'\n")
    assert "reused" in drawn(monkeypatch, asking)
    assert drawn(monkeypatch, '{"session_id": "nobody"}') == NOTHING_YET


@pytest.mark.parametrize("fault", ["toml", "file", "folder"])
def test_what_is_wrong_is_one_line(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "keepwarm").mkdir()
    if fault == "toml":
        (tmp_path / "keepwarm.toml").write_text("[")
    elif fault == "file":
        (tmp_path / "keepwarm" / "ledger.sqlite").write_bytes(b"x" * 4096)
    else:
        (tmp_path / "keepwarm" / "ledger.sqlite").mkdir()
    shown = drawn(monkeypatch, "{}")
    what = {"toml": "the settings cannot be read", "file": "the ledger cannot be read", "folder": "no requests yet"}
    assert shown.startswith(f"keepwarm: {what[fault]}")
    assert "\n" not in shown


def test_the_programs_own_entrance(ledger: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "keepwarm", "statusline", "--ledger", str(ledger)]
    done = subprocess.run(
        command, input='{"session_id": "s-one"}', capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.startswith("keepwarm ")
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
