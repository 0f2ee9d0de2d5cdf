"""Servers looked at from outside: the real llama.cpp in its variants, and stand-ins for those that cannot run here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from keepwarm.checks.cache_probe import Probe, judge_probe
from keepwarm.checks.server import Slot
from keepwarm.checks.template import UNASKED
from keepwarm.shell.client import Upstream
from keepwarm.shell.server_look import NoServer, look, look_at_template, probe_cache, what_was_sent
from tests.shell.speaking import Speaker, speaking, vllm
from tests.testing.conftest import EngineFor


@pytest.fixture
async def upstream_of() -> AsyncIterator[list[Upstream]]:
    """Connections to be closed."""
    opened: list[Upstream] = []
    yield opened
    for one in opened:
        await one.close()


def to(url: str, opened: list[Upstream]) -> Upstream:
    """A connection to a server."""
    opened.append(Upstream(url))
    return opened[-1]


async def codes_of(upstream: Upstream) -> dict[str, str]:
    """What the cache probe finds: severity by code."""
    server = await look(upstream)
    return {one.code: one.severity for one in judge_probe(await probe_cache(upstream, server), server.name)}


async def test_the_real_server_reuses_reports_and_has_a_rate(
    engine_for: EngineFor, upstream_of: list[Upstream]
) -> None:
    upstream = to(engine_for(slots=3).url, upstream_of)
    server = await look(upstream)
    assert (server.name, server.traits.slots, server.model) == ("llama.cpp", 3, server.traits.model)
    assert server.slots is not None
    probe = await probe_cache(upstream, server)
    found = {one.code: one.severity for one in judge_probe(probe, "llama.cpp")}
    assert found["reuse"] == "ok"
    assert found["reports"] == "ok"
    assert (found["line-costs"], found["head-costs"]) == ("warn", "info")
    assert found["header-masked"] == "ok"  # llama.cpp masks the value over its own Messages API
    assert probe.rate
    assert [one.step for one in probe.steps] == ["cold", "same", "line", "head", "messages", "masked"]


async def test_the_probe_takes_a_slot_that_holds_nobody(engine_for: EngineFor, upstream_of: list[Upstream]) -> None:
    upstream = to(engine_for(slots=4, context=131_072).url, upstream_of)
    server = await look(upstream)
    assert server.slots == tuple(Slot(number, False, 0) for number in range(4))
    probe = await probe_cache(upstream, server)
    assert what_was_sent(probe, server)[1] == "into a slot that was empty"
    after = (await look(upstream)).slots
    assert after is not None
    assert after[0].held
    await probe_cache(upstream, await look(upstream))
    again = (await look(upstream)).slots
    assert again is not None
    assert again[0].held == after[0].held  # the first one's prompt still stands there


async def test_nothing_is_sent_while_every_slot_is_busy(upstream_of: list[Upstream]) -> None:
    busy = [{"id": 0, "is_processing": True, "n_prompt_tokens": 9}]
    props = {"total_slots": 1, "default_generation_settings": {"n_ctx": 8192}}
    table = {"/health": (200, {}), "/props": (200, props), "/slots": (200, busy), "/v1/models": (200, {"data": []})}
    async with speaking({**table}) as speaker:
        upstream = to(speaker.url, upstream_of)
        probe = await probe_cache(upstream, await look(upstream))
        assert "busy" in probe.skipped
        assert "/v1/chat/completions" not in [path for path, _ in speaker.asked]
        assert what_was_sent(probe, await look(upstream)) == ()


async def test_a_server_that_reuses_only_when_asked(engine_for: EngineFor, upstream_of: list[Upstream]) -> None:
    found = await codes_of(to(engine_for(cache_prompt=False).url, upstream_of))
    assert found["cache-prompt-off"] == "bad"
    assert "header-not-masked" not in found


async def test_shut_slots(engine_for: EngineFor, upstream_of: list[Upstream]) -> None:
    upstream = to(engine_for(slots=1, show_slots=False).url, upstream_of)
    server = await look(upstream)
    assert server.slots is None
    assert server.flags["endpoint_slots"] is False
    assert (await codes_of(upstream))["reuse"] == "ok"


@pytest.mark.parametrize(
    ("name", "tools", "drops", "inline", "clock"),
    [
        ("qwen_like", "behind", True, "in place", False),
        ("tools_first", "before", False, "in place", False),
        ("strict_system", "behind", False, "refused", False),
        ("dated", "behind", False, "in place", True),
    ],
)
async def test_what_the_real_templates_do(
    engine_for: EngineFor, upstream_of: list[Upstream], name: str, tools: str, drops: bool, inline: str, clock: bool
) -> None:
    upstream = to(engine_for(name).url, upstream_of)
    facts = await look_at_template(upstream, await look(upstream))
    assert (facts.tools, facts.drops_thinking, facts.inline, facts.clock) == (tools, drops, inline, clock)
    assert facts.keeps_when_asked is (True if drops else None)


async def test_a_vllm_that_reports_nothing(upstream_of: list[Upstream]) -> None:
    async with speaking(vllm()) as speaker:
        upstream = to(speaker.url, upstream_of)
        server = await look(upstream)
        assert (server.name, server.version, server.model) == ("vLLM", "0.32.0", "qwen3")
        assert await look_at_template(upstream, server) == UNASKED  # this one has no /tokenize
        found = await codes_of(upstream)
        assert found["reports-nothing"] == "warn"
        assert found["reuse-unknown"] == "info"
        asked = [body for path, body in speaker.asked if path == "/v1/chat/completions" and b"messages" in body]
        assert len(asked) == 4
        assert all(b'"model":"qwen3"' in body for body in asked)


async def test_a_server_without_any_prefix_cache(upstream_of: list[Upstream]) -> None:
    async with speaking(vllm(reports=True)) as speaker:
        assert (await codes_of(to(speaker.url, upstream_of)))["no-reuse"] == "bad"


@pytest.mark.parametrize(
    ("table", "otherwise", "code"),
    [
        ({}, (200, "<html>welcome</html>"), "no-model-server"),
        ({}, (404, "<html>gone</html>"), "no-model-server"),
        ({"/v1/models": (200, {"data": "no list"})}, (404, {}), "no-model-server"),
        ({"/health": (503, {"error": {"message": "Loading model", "code": 503}})}, (503, {}), "loading"),
        ({"/v1/models": (401, {"error": "key"})}, (401, {}), "wants-key"),
    ],
)
async def test_what_is_no_server_to_look_at(
    upstream_of: list[Upstream], table: dict[str, tuple[int, object]], otherwise: tuple[int, object], code: str
) -> None:
    async with speaking({**table}, otherwise) as speaker:
        with pytest.raises(NoServer) as told:
            await look(to(speaker.url, upstream_of))
        assert told.value.code == code
        assert told.value.command


async def test_a_provider_is_asked_nothing(upstream_of: list[Upstream]) -> None:
    server = await look(to("https://api.anthropic.com", upstream_of))
    assert server.traits.first_party


async def test_nothing_listens(upstream_of: list[Upstream], free_port: int) -> None:
    with pytest.raises(NoServer) as told:
        await look(to(f"http://127.0.0.1:{free_port}", upstream_of))
    assert told.value.code == "nothing-listens"


async def test_a_probe_that_is_refused_says_so(upstream_of: list[Upstream]) -> None:
    table = vllm() | {"/v1/chat/completions": (500, {"error": "broken"})}
    async with speaking(table) as speaker:
        upstream = to(speaker.url, upstream_of)
        probe = await probe_cache(upstream, await look(upstream))
        assert [one.status for one in probe.steps] == [500]
        assert isinstance(speaker, Speaker)
        assert judge_probe(Probe(probe.steps), "chat")[0].code == "probe-failed"


async def test_vllms_template_is_read_from_its_tokens(upstream_of: list[Upstream]) -> None:
    prompts: list[str] = []

    def tokenize(body: dict[str, Any]) -> tuple[int, Any]:
        roles = [one["role"] for one in body["messages"]]
        if "system" in roles[1:]:
            return 400, {"error": {"message": "System message must be at the beginning."}}
        words = [
            *(tool["function"]["name"] for tool in body.get("tools", [])),
            *(m["content"] for m in body["messages"]),
        ]
        prompts.append(" ".join(words))
        return 200, {"count": 1, "tokens": [len(prompts) - 1]}

    table = vllm() | {
        "/tokenize": tokenize,
        "/detokenize": lambda body: (200, {"prompt": prompts[body["tokens"][0]]}),
    }
    async with speaking(table) as speaker:
        upstream = to(speaker.url, upstream_of)
        facts = await look_at_template(upstream, await look(upstream))
    assert (facts.tools, facts.drops_thinking, facts.keeps_when_asked) == ("before", True, False)
    assert (facts.inline, facts.clock) == ("refused", None)
