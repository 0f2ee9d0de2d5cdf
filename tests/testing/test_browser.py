"""Which browser is found, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing import browser
from keepwarm.testing.agent_process import CLIENTS_VARIABLE, ClientMissing


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path))
    return tmp_path


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def test_the_named_one_comes_first_then_the_one_on_the_path_then_the_installed_one(clients: Path) -> None:
    installed = put(clients / "browser-1.0" / "chromium" / "chromium")
    on_path = put(clients / "bin" / "chromium")
    path = {"PATH": str(clients / "bin")}
    assert browser.find_chromium({**path, browser.PATH_VARIABLE: "/named"}).program == "/named"
    assert browser.find_chromium(path).program == on_path
    found = browser.find_chromium({"PATH": str(clients)})
    assert found.program == installed
    assert found.environment()["LD_LIBRARY_PATH"] == str(Path(installed).parent / "lib")


def test_what_is_missing_is_said_with_what_to_do(clients: Path) -> None:
    with pytest.raises(ClientMissing, match=r"make browser.*apt install chromium"):
        browser.find_chromium({"PATH": str(clients)})
    with pytest.raises(ClientMissing, match="make browser"):
        browser.find_axe()


def test_axe_is_found(clients: Path) -> None:
    script = put(clients / "browser-1.0" / "node_modules" / "axe-core" / "axe.min.js")
    assert str(browser.find_axe()) == script
