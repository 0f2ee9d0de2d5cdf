"""The whole report: with a gateway and without, at the real server, at none, and at the wrong port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.checks.finding import Finding, Report
from keepwarm.config import Config, override
from keepwarm.shell import doctor as command
from keepwarm.shell.doctor import Surroundings, examine
from keepwarm.upstream.api import Traits
from tests.shell.conftest import OpenGateway
from tests.shell.speaking import speaking
from tests.testing.conftest import EngineFor


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    """An empty home and no agent."""
    return Surroundings(tmp_path / "home", tmp_path, {"PATH": str(tmp_path)})


def at(url: str, port: int, **settings: Any) -> Config:
    """The settings that name a server, with the gateway's port."""
    return override(Config(), upstream__url=url, port=port, **settings)


def codes(report: Report) -> dict[str, Finding]:
    """Findings by code."""
    return {one.code: one for one in report.findings}


async def test_straight_at_a_server_without_a_gateway(
    engine_for: EngineFor, around: Surroundings, free_port: int
) -> None:
    report = await examine(at(engine_for(slots=3).url, free_port), around)
    found = codes(report)
    assert report.exit_code == 0
    assert found["no-gateway"].command == f"keepwarm serve --upstream {report.server}"
    assert found.keys() >= {"no-client", "header-on", "server", "slots", "thinking-dropped", "reuse", "memory-process"}
    assert report.rate is not None
    assert found["thinking-dropped"].seconds == pytest.approx(5_000 / report.rate)
    assert report.sent[0].startswith("6 requests of ")


async def test_through_a_gateway_the_server_behind_it_is_looked_at(
    engine_for: EngineFor, open_gateway: OpenGateway, around: Surroundings, free_port: int
) -> None:
    engine = engine_for(slots=3)
    gateway = await open_gateway(engine.url)
    for config in (at("", gateway.config.port or int(gateway.url.rsplit(":", 1)[1])), at(gateway.url, free_port)):
        report = await examine(config, around, probe=False)
        found = codes(report)
        assert report.server == engine.url
        assert found["gateway"].severity == "ok"
        assert gateway.url in found["gateway"].title
        assert found["not-probed"].severity == "info"
        assert report.sent == ()


async def test_a_gateway_with_a_key_is_known_and_the_key_stays_ours(
    engine_for: EngineFor, open_gateway: OpenGateway, around: Surroundings
) -> None:
    engine = engine_for(slots=3)
    gateway = await open_gateway(engine.url, key="sk-secret")
    port = int(gateway.url.rsplit(":", 1)[1])
    without = codes(await examine(at(engine.url, port), around, probe=False))
    assert without["gateway-key"].severity == "warn"
    report = await examine(at("", port, key="sk-secret"), around, probe=False)
    assert codes(report)["gateway"].severity == "ok"
    assert b"secret" not in msgspec.json.encode(report)


async def test_a_claude_that_costs_on_every_turn_is_the_exit_code(
    engine_for: EngineFor, around: Surroundings, free_port: int
) -> None:
    program = around.folder / "claude"
    program.write_text("#!/bin/sh\necho '2.1.114 (Claude Code)'\n")
    program.chmod(0o755)
    report = await examine(at(engine_for(slots=3).url, free_port), around, probe=False)
    assert codes(report)["header-each-request"].severity == "bad"
    assert report.exit_code == 1
    probed = await examine(at(engine_for(slots=3).url, free_port), around)
    assert codes(probed)["header-each-request"].severity == "warn"  # this server masks it over the Messages API
    (around.home / ".claude").mkdir(parents=True)
    (around.home / ".claude" / "settings.json").write_text('{"env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"}}')
    mended = await examine(at(engine_for(slots=3).url, free_port), around, probe=False)
    assert mended.exit_code == 0
    assert "header-each-request" not in codes(mended)


async def test_the_wrong_port_and_nothing_at_all(around: Surroundings, free_port: int) -> None:
    async with speaking({}, (200, "<html>a shop</html>")) as shop:
        report = await examine(at(shop.url, free_port), around)
        assert report.exit_code == 2
        assert codes(report)["no-model-server"].command.startswith("keepwarm doctor --upstream")
        port = int(shop.url.rsplit(":", 1)[1])
        stranger = await examine(at(shop.url, port, key="sk-secret"), around)
        assert not any(b"secret" in str(headers).encode() for headers in shop.headers)
        assert codes(stranger)["gateway-stranger"].severity == "warn"
    report = await examine(at(f"http://127.0.0.1:{free_port}", free_port), around)
    assert (report.exit_code, codes(report)["nothing-listens"].severity) == (2, "bad")


async def test_nobody_on_this_machine(around: Surroundings, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> list[tuple[str, Traits]]:
        return []

    monkeypatch.setattr(command, "find_upstreams", nothing)
    report = await examine(at("", free_port), around)
    found = codes(report)["nothing-found"]
    assert (report.exit_code, report.server) == (2, "")
    assert "8080" in found.title
    assert found.command == "keepwarm serve --engine demo"


async def test_of_several_servers_here_the_others_are_named(
    engine_for: EngineFor, around: Surroundings, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = engine_for(slots=3).url

    async def two() -> list[tuple[str, Traits]]:
        return [(url, Traits()), ("http://127.0.0.1:9", Traits())]

    monkeypatch.setattr(command, "find_upstreams", two)
    report = await examine(at("", free_port), around, probe=False)
    assert report.server == url
    assert codes(report)["another-server"].command == "keepwarm doctor --upstream http://127.0.0.1:9"


async def test_no_password_of_the_address_is_shown(around: Surroundings, free_port: int) -> None:
    report = await examine(at(f"http://user:sk-secret@127.0.0.1:{free_port}", free_port), around)
    assert b"secret" not in msgspec.json.encode(report)
