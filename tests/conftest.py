"""Fixtures that any test may want; what only one folder needs stands in that folder's own conftest.

Every test runs with a home of the session's own and without the caller's agent and proxy settings, so that
neither a developer's ledger nor a key in their shell can be touched or change a result.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Speed is never asserted: a slow machine is not a failing one.
hypothesis.settings.register_profile("keepwarm", deadline=None)
hypothesis.settings.load_profile("keepwarm")

REPOSITORY = Path(__file__).parent.parent

# Prints what the clients cost when the tests have ended. It stands here because with pytest-xdist the process that
# prints loads no folder's own conftest.
pytest_plugins = ["tests.clients.summary"]

_CALLERS_OWN = ("ANTHROPIC_", "CLAUDE", "OPENAI_", "KEEPWARM_", "XDG_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
# Says where things are, not how keepwarm behaves.
_KEPT = ("KEEPWARM_CLIENTS",)


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Gives the session an empty home and takes the caller's settings away; the value is that home."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in _KEPT and (name.startswith(_CALLERS_OWN) or name.lower() in _PROXIES):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield home


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture
def free_port() -> int:
    """A loopback port that nobody listened on a moment ago; where a server can take port 0, prefer that."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
