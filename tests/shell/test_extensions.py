"""Rules of other people: found, refused, switched, and unable to break a request."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from keepwarm.config import RuleSettings
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Message, SystemBlock, Text
from keepwarm.errors import ConfigError
from keepwarm.rules.api import FirstSeen, Fix, Rule, Safety
from keepwarm.rules.codes import CODES
from keepwarm.shell.extensions import GROUP, Extensions, guard, load_extensions
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import message_body
from tests.shell.wheel import RULE, install

GOOD = Rule("ACM001", "their-own", Safety.EXACT, "A page.")
SYSTEM = "Be brief. Word of the day: glockenspiel."
HERE = sys.modules[__name__]


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], list[EntryPoint]]:
    """An entry point of nobody's package that points at a value."""

    def offered(value: object) -> list[EntryPoint]:
        monkeypatch.setattr(HERE, "OFFERED", value, raising=False)
        monkeypatch.setitem(sys.modules, "offered_rules", HERE)
        return [entry("ACM001", "offered_rules:OFFERED")]

    return offered


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a package that brings one good rule and one that does not load."""
    entries = {"ACM001": "acme_rules.acm001", "ACM002": "acme_rules.acm002:RULE"}
    return install(tmp_path, entries, {"acm001": RULE, "acm002": "import nowhere\n"})


# A package that pip has installed


def listed(site: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "150"}
    command = [sys.executable, "-m", "keepwarm.cli", "rule", *arguments]
    done = subprocess.run(command, env=environment, cwd=site.parent, capture_output=True, text=True, check=True)
    return done.stdout


def test_an_installed_package_is_listed_with_its_name_and_what_is_broken_in_it(site: Path) -> None:
    said = listed(site)
    (row,) = [line.split(maxsplit=4) for line in said.splitlines() if line.startswith("ACM001")]
    assert [cell.strip() for cell in row] == ["ACM001", "word-of-the-day", "meaning", "on", "acme-rules 1.2"]
    left_out = "acme-rules 1.2: the rule ACM002 = acme_rules.acm002:RULE is left out: it cannot be loaded"
    assert f"{left_out} (ModuleNotFoundError: No module named 'nowhere')" in said
    assert "Takes the word of the day out" in listed(site, "acm001")
    (site.parent / "keepwarm.toml").write_text("[rules]\noff = ['ACM001']\n")
    assert json.loads(listed(site, "ACM001", "--json"))["state"] == "off"


async def test_it_works_in_a_gateway_and_is_switched_as_ours_are(
    site: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
) -> None:
    monkeypatch.syspath_prepend(str(site))
    stub = await open_stub()
    gateway = await open_gateway(stub.url, clients={"pi": RuleSettings(off=("ACM001",))})
    assert "acme-rules 1.2: the rule ACM002 = acme_rules.acm002:RULE is left out" in caplog.text
    records = Records(gateway)
    for agent in ("claude-cli/2.1.114", "pi/0.73"):
        assert (await post(http, gateway.url, message_body(system=SYSTEM), **{"user-agent": agent}))[0] == 200
    await records.until(2)
    assert [seen.json["messages"][0]["content"] for seen in stub.seen] == ["Be brief. ", SYSTEM]
    (edit,) = records[0].edits
    assert (edit.code, edit.safety, edit.note, edit.removed) == ("ACM001", "meaning", "dropped", 30)
    assert records[1].edits == ()


async def test_one_that_raises_breaks_no_request(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
) -> None:
    raising = RULE.replace("rest = block", "rest = block.nothing").replace("ACM001", "ACM003")
    monkeypatch.syspath_prepend(
        str(install(tmp_path, {"ACM003": "bad_rules.acm003"}, {"acm003": raising}, "bad-rules"))
    )
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    for _ in range(3):
        assert (await post(http, gateway.url, message_body(system=SYSTEM)))[0] == 200
    assert stub.seen[-1].json["messages"][0]["content"] == SYSTEM
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.getMessage() == "the rule ACM003 failed in its system function and changed nothing"
    assert told.exc_info is not None


# What is refused


def test_without_a_package_there_is_nothing() -> None:
    assert load_extensions([]) == Extensions()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a text", "it is a str, no keepwarm.rules.api.Rule and no module with one named RULE"),
        (Rule("acm1", "n", Safety.EXACT, "p"), "its code 'acm1' is not three capital letters and three digits"),
        (Rule("VOL901", "n", Safety.EXACT, "p"), "its code VOL901 is of a family of keepwarm's own (HIS, KEY, MRK, "),
        (Rule("ACM001", "n", Safety.EXACT, " \n"), "it has no page"),
        (Rule("ACM001", "n", 7, "p"), "its safety 7 is no keepwarm.rules.api.Safety"),  # type: ignore[arg-type]
        (Rule("ACM001", "n", Safety.EXACT, "p", names="x"), "its names is no function"),  # type: ignore[arg-type]
    ],
)
def test_what_has_not_the_form_of_a_rule_is_refused(
    value: object, reason: str, offer: Callable[[object], list[EntryPoint]]
) -> None:
    loaded = load_extensions(offer(value))
    assert loaded.rules == ()
    (refusal,) = loaded.refused
    assert str(refusal).startswith(f"an unknown package: the rule ACM001 = offered_rules:OFFERED is left out: {reason}")


def test_two_rules_with_one_code_are_an_error_that_names_both(
    offer: Callable[[object], list[EntryPoint]], site: Path
) -> None:
    with pytest.raises(ConfigError, match="an unknown package and keepwarm both have a rule VOL001: uninstall one, or"):
        load_extensions(offer(CODES["VOL001"]))
    with pytest.raises(ConfigError, match="an unknown package and an unknown package both have a rule ACM001"):
        load_extensions(offer(GOOD) * 2)


# The guard


@pytest.mark.parametrize(
    "result",
    [
        None,
        SystemBlock("b", 0),
        Fix("b"),
        Fix(SystemBlock("b", 0), (Edit("VOL001", "/system", "a", "b"),)),
        Fix(SystemBlock("b", 0), ("an edit",)),  # type: ignore[arg-type]
    ],
)
def test_a_result_that_a_rule_must_not_give_back_is_a_failure(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    block = SystemBlock("a", 0)
    guarded = guard(Rule("ACM001", "n", Safety.EXACT, "p", system=lambda _: result))
    assert guarded.system is not None
    assert guarded.system(block) == Fix(block)
    assert "the rule ACM001 failed in its system" in caplog.text


def test_what_a_rule_may_give_back_goes_through(caplog: pytest.LogCaptureFixture) -> None:
    dropped = Fix[SystemBlock | None](None, (Edit("ACM001", "/system/0", "a", ""),))
    guarded = guard(Rule("ACM001", "n", Safety.EXACT, "p", system=lambda _: dropped, names=lambda d: d.offset == 3))
    assert guarded.system is not None
    assert guarded.names is not None
    assert guarded.system(SystemBlock("a", 0)) is dropped
    assert (guarded.names(Difference("turn", offset=3)), guarded.names(Difference("turn"))) == (True, False)
    assert caplog.text == ""


def test_a_failure_changes_nothing_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("no")

    rule = guard(Rule("ACM001", "n", Safety.EXACT, "p", message=fail, tools=fail, names=fail))
    message = Message("user", (Text("hi"),), 0)
    assert rule.message is not None
    assert rule.tools is not None
    assert rule.names is not None
    assert [rule.message(message), rule.message(message)] == [Fix(message), Fix(message)]
    assert rule.tools((), FirstSeen()) == Fix(())
    assert rule.names(Difference("turn")) is False
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 3
