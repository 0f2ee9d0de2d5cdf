"""The whole report: with a gateway and without, at the real server, at none, and at the wrong port."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.checks.finding import Finding, Report
from keepwarm.config import Config, override
from keepwarm.shell import doctor as command
from keepwarm.shell.doctor import Surroundings, doctor, examine
from keepwarm.upstream.api import Traits
from tests.shell.conftest import OpenGateway
from tests.shell.speaking import speaking, vllm
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
    return {one.code: one for one in report.every}


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What answers on this machine's usual ports: nothing, until a test says otherwise."""
    urls: list[str] = []

    async def there() -> list[tuple[str, Traits]]:
        return [(url, Traits()) for url in urls]

    monkeypatch.setattr(command, "find_upstreams", there)
    return urls


async def test_straight_at_a_server_without_a_gateway(
    engine_for: EngineFor, around: Surroundings, free_port: int
) -> None:
    report = await examine(at(engine_for(slots=3).url, free_port), around)
    found = codes(report)
    assert report.exit_code == 0
    (server,) = report.servers
    assert server.known == ("in keepwarm.toml",)
    assert found["no-gateway"].command == f"keepwarm serve --upstream {server.url}"
    assert found.keys() >= {"no-client", "header-on", "server", "slots", "thinking-dropped", "reuse", "memory-process"}
    assert server.rate is not None
    assert found["thinking-dropped"].seconds == pytest.approx(5_000 / server.rate)
    assert server.sent[0].startswith("6 requests of ")
    assert found["thinking-dropped"].command == f"keepwarm serve --upstream {server.url}"


async def test_through_a_gateway_the_server_behind_it_is_looked_at(
    engine_for: EngineFor, open_gateway: OpenGateway, around: Surroundings, free_port: int
) -> None:
    engine = engine_for(slots=3)
    gateway = await open_gateway(engine.url)
    for config in (at("", gateway.config.port or int(gateway.url.rsplit(":", 1)[1])), at(gateway.url, free_port)):
        report = await examine(config, around, probe=False)
        found = codes(report)
        (server,) = report.servers
        assert (server.url, server.sent) == (engine.url, ())
        assert server.known == ("behind keepwarm",)
        assert found["thinking-dropped"].command == "keepwarm run claude"
        assert found["gateway"].severity == "ok"
        assert gateway.url in found["gateway"].title
        assert found["not-probed"].severity == "info"


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


async def test_nobody_on_this_machine(around: Surroundings, free_port: int) -> None:
    report = await examine(at("", free_port), around)
    found = codes(report)["nothing-found"]
    assert (report.exit_code, report.servers) == (2, ())
    assert "8080" in found.title
    assert found.command == "keepwarm serve --engine demo"


async def test_each_server_is_looked_at_once_and_no_gateway_is_taken_for_one(
    engine_for: EngineFor, open_gateway: OpenGateway, around: Surroundings, found: list[str]
) -> None:
    behind, own = engine_for(slots=3), engine_for(slots=3, show_slots=False)
    gateway = await open_gateway(behind.url)
    port = int(gateway.url.rsplit(":", 1)[1])
    found += [own.url, gateway.url, behind.url.replace("127.0.0.1", "localhost")]
    report = await examine(at("http://127.0.0.1:9", port), around, probe=False)
    assert [(one.url, one.known, one.looked) for one in report.servers] == [
        ("http://127.0.0.1:9", ("in keepwarm.toml",), False),
        (behind.url, ("behind keepwarm", "found here"), True),
        (own.url, ("found here",), True),
    ]
    told = [{one.code for one in server.findings} for server in report.servers]
    assert told[0] == {"nothing-listens"}
    assert [("slots-shut" in codes) for codes in told[1:]] == [False, True]
    assert [one.code for one in report.findings if one.area == "gateway"] == ["gateway"]
    assert report.exit_code == 1  # the one of the settings is down


async def test_a_server_that_is_named_is_the_only_one(
    engine_for: EngineFor, around: Surroundings, free_port: int, found: list[str]
) -> None:
    found.append("http://127.0.0.1:9")
    url = engine_for(slots=3).url
    settings = override(at("http://h:1", free_port), engine="demo")
    report = await asyncio.to_thread(doctor, settings, around, upstream=url, probe=False)
    assert [(one.url, one.known) for one in report.servers] == [(url, ("named",))]


async def test_the_key_of_the_settings_goes_to_no_other_server(
    around: Surroundings, free_port: int, found: list[str]
) -> None:
    async with speaking(vllm()) as mine, speaking(vllm()) as other:
        found.append(other.url)
        await examine(at(mine.url, free_port, upstream__key="sk-secret"), around, probe=False)
    assert any("secret" in str(headers) for headers in mine.headers)
    assert other.headers
    assert not any("secret" in str(headers) for headers in other.headers)


async def test_no_password_of_the_address_is_shown(around: Surroundings, free_port: int) -> None:
    report = await examine(at(f"http://user:sk-secret@127.0.0.1:{free_port}", free_port), around)
    assert b"secret" not in msgspec.json.encode(report)
