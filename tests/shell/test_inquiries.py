"""Verdicts made exact beside the traffic: in turn, in good time, in nobody's way; and against a real llama.cpp."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.ledger.verdict import SLACK
from keepwarm.rules.codes import CODES
from keepwarm.shell import inquiries
from keepwarm.shell.client import Upstream
from keepwarm.shell.inquiries import Inquiries
from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.played import Played, Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scripted import ScriptedServer
from keepwarm.upstream.api import Outgoing
from tests.exchange.telling import Telling, asked, dropped, edited
from tests.shell.conftest import OpenGateway, Records
from tests.shell.talk import SCRIPT, Talk, client_of
from tests.testing.conftest import EngineFor


class Server(Upstream):
    """An upstream in the test's hands: a question is answered when `open` is set."""

    def __init__(self, refuses: int | None = None) -> None:
        super().__init__("http://127.0.0.1:9")
        self.telling = Telling(refuses=refuses)
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self.most = 0
        self.fails = False

    async def ask(self, request: Outgoing) -> tuple[int, bytes]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            answer = self.telling.answer(request)
            await self.gate.wait()
            if self.fails:
                raise RuntimeError("nobody foresaw this")
            return answer
        finally:
            self.at_once -= 1

    @property
    def rendered(self) -> int:
        return self.telling.asked.count("/apply-template")


async def turns(count: int = 50) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0.001)


async def test_one_at_a_time_in_their_order() -> None:
    server, told = Server(), list[Record]()
    desk = Inquiries(server, told.append)
    questions = [asked(edited()) for _ in range(3)]
    for question in questions:
        desk.put(question)
    await desk.settled()
    assert [record.id for record in told] == [question.record.id for question in questions]
    assert server.most == 1
    for record in told:
        assert record.verdict is not None
        assert record.verdict.grade == "exact"
    await desk.stop()


async def test_they_wait_until_nobody_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    server, told = Server(), list[Record]()
    desk = Inquiries(server, told.append)
    with desk.aside():
        with desk.aside():
            desk.put(asked(edited()))
            await turns()
        await turns()
        assert server.telling.asked == []
    await desk.settled()
    assert len(told) == 1
    monkeypatch.setattr(inquiries, "PATIENCE_SECONDS", 0.01)
    with desk.aside():  # and not forever
        desk.put(asked(edited()))
        await desk.settled()
    assert len(told) == 2
    await desk.stop()


async def test_the_latest_are_kept_and_older_ones_given_up() -> None:
    server, told = Server(), list[Record]()
    desk = Inquiries(server, told.append)
    question = asked(edited())
    with desk.aside():
        for _ in range(inquiries.LIMIT + 9):
            desk.put(question)
        await turns()
    await desk.settled()
    assert len(told) == inquiries.LIMIT
    await desk.stop()


async def test_one_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "SECONDS", 0.05)
    server, told = Server(), list[Record]()
    server.gate.clear()
    desk = Inquiries(server, told.append)
    desk.put(asked(edited()))
    await desk.settled()
    assert told == []
    server.gate.set()
    desk.put(asked(edited()))
    await desk.settled()
    assert len(told) == 1
    await desk.stop()


async def test_it_stops_in_the_middle() -> None:
    server, told = Server(), list[Record]()
    server.gate.clear()
    desk = Inquiries(server, told.append)
    for _ in range(3):
        desk.put(asked(edited()))
    await turns()
    assert server.at_once == 1
    async with asyncio.timeout(5):
        await desk.stop()
    assert server.at_once == 0
    desk.put(asked(edited()))
    await desk.settled()
    assert told == []
    assert server.rendered == 1


async def test_a_server_that_cannot_tell_is_left_in_peace_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(refuses=404)
    desk = Inquiries(server, lambda record: None)
    for _ in range(3):
        desk.put(asked(edited()))
        await desk.settled()
    assert server.rendered == 1
    await desk.stop()
    monkeypatch.setattr(inquiries, "AGAIN_SECONDS", 0.0)
    desk = Inquiries(server, lambda record: None)
    for _ in range(3):
        desk.put(asked(edited()))
        await desk.settled()
    assert server.rendered == 4
    await desk.stop()


async def test_one_that_cannot_tell_its_tokens_may_still_show_that_it_was_started_anew() -> None:
    server, told, anew = Server(refuses=404), list[Record](), list[str]()
    desk = Inquiries(server, told.append, lambda: anew.append("anew"))
    desk.put(asked(edited()))
    await desk.settled()
    server.telling.refuses, server.telling.tasks = None, [0]
    desk.put(asked(dropped()))
    await desk.settled()
    assert server.telling.asked[-1] == "/slots"
    assert anew == ["anew"]
    assert [record.verdict.causes for record in told if record.verdict] == [("SRV004",)]
    await desk.stop()


async def test_what_breaks_is_logged_and_the_next_has_its_turn(caplog: pytest.LogCaptureFixture) -> None:
    server, told = Server(), list[Record]()
    server.fails = True
    desk = Inquiries(server, told.append)
    desk.put(asked(edited()))
    await desk.settled()
    assert "could not be made exact" in caplog.text
    server.fails = False
    desk.put(asked(edited()))
    await desk.settled()
    assert len(told) == 1
    await desk.stop()


# Against the real server


async def edit_history(url: str, gateway: Any) -> None:
    """Three turns of the official client; before the last one it changes an old result."""
    async with client_of(gateway) as client:
        talk = Talk(client, "exact")
        await talk.turn()
        talk.messages[-1]["content"][0]["content"] = "a long output\n" * 60
        await talk.turn()
        talk.messages[2]["content"][0]["content"] = "a long output\n" * 30 + "cut\n" * 30
        await talk.turn()


async def test_the_record_is_amended_and_told_of_once_more(
    engine_for: EngineFor, open_gateway: OpenGateway, tmp_path: Path
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        lines, better = Records(gateway), list[Record]()
        gateway.amended.append(better.append)
        await edit_history(server.url, gateway)
        await gateway.inquiries.settled()
        await gateway.stop()
        engine_tokens = server.prefilled_total
    assert [record.verdict.grade for record in lines if record.verdict][-1] == "estimated"
    assert len(lines) == 3, "a line is printed once"
    assert [record.id for record in better] == [lines[-1].id]
    assert engine_tokens == sum(exchange.prefilled_tokens for exchange in server.exchanges), "no slot was used"
    verdict = better[0].verdict
    assert verdict is not None
    assert (verdict.grade, verdict.blame, verdict.causes) == ("exact", "client", ("HIS005",))
    first, last = await tokens(engine_for().url, server.exchanges[1].prompt, server.exchanges[2].prompt)
    assert verdict.shared == verdict.expected == common_prefix(first, last)
    assert verdict.actual == server.exchanges[2].cached_tokens
    with Query(tmp_path / "ledger.sqlite") as query:
        assert query.last() == better[0]


async def test_it_can_be_switched_off(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url, exact=False)
        records, better = Records(gateway), list[Record]()
        gateway.amended.append(better.append)
        await edit_history(server.url, gateway)
        await gateway.inquiries.settled()
        await records.until(3)
    assert better == []
    assert records[-1].verdict is not None
    assert records[-1].verdict.grade == "estimated"


SCENARIOS = (
    "VOL001-each", "VOL003-tool", "HIS001-moved", "HIS002-dropped", "HIS003-each", "HIS004-reordered",
    "HIS005-trimming", "HIS006-inner", "ORD001-each", "ORD002-added", "ORD002-reworded", "clean-rewind",
)  # fmt: skip


@pytest.mark.parametrize(("template", "shape"), [("tools_first", "messages"), ("qwen_like", "chat")])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_figure_is_the_engines_own(
    name: str, template: str, shape: Any, engine_for: EngineFor, tmp_path: Path
) -> None:
    """With all rules off each cause costs what it costs, and what could have been reused is what the engine's own ids
    of both prompts have in common."""
    setting = Setting(exact=True, config=(("rules__off", tuple(CODES)),))
    url = engine_for(template, slots=2).url
    played = await play(Scenario((name,), shape=shape, thinking=True), setting, [url], tmp_path / "ledger.sqlite")
    assert played.faults == ()
    assert await compared(played, url) >= 1


async def compared(played: Played, url: str) -> int:
    """How many exact verdicts are right; all are."""
    by_id = {step.record.id: step.exchange for step in played.steps}
    count = 0
    for step in played.steps:
        verdict = step.record.verdict
        assert verdict is not None
        # What could be exact is: something was lost, or bytes were all there was.
        assert verdict.grade in ("exact", "counted")
        if verdict.grade != "exact":
            assert verdict.lost == 0
            continue
        before, now = await tokens(url, by_id[step.record.parent].prompt, step.exchange.prompt)
        shared = common_prefix(before, now)
        assert verdict.shared == shared
        assert verdict.actual == step.exchange.cached_tokens
        assert verdict.expected is not None
        assert verdict.expected >= shared
        if verdict.blame == "client":
            assert shared - SLACK <= step.exchange.cached_tokens
        count += 1
    return count


async def tokens(url: str, *prompts: str) -> list[list[int]]:
    """The engine's own ids."""
    found = []
    async with aiohttp.ClientSession() as http:
        for prompt in prompts:
            asked_for = {"content": prompt, "add_special": True, "parse_special": True}
            async with http.post(f"{url}/tokenize", json=asked_for) as answer:
                found.append((await answer.json())["tokens"])
    return found
