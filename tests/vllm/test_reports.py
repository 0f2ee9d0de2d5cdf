"""A vLLM that does not say what it reuses, and one that reuses nothing: SRV006 and SRV007, and how they show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from msgspec.structs import replace

from keepwarm.testing.vllm import Vllm, VllmOptions
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Talk, counts, post, text_of
from tests.vllm.test_token_ids import chat_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def silent(vllm_options: VllmOptions) -> Iterator[Vllm]:
    """As vLLM is when nothing is said: it caches and does not report it, and renders nothing."""
    with Vllm(replace(vllm_options, report_reuse=False, scale_out=False)) as running:
        yield running


@pytest.fixture(scope="module")
def forgetful(vllm_options: VllmOptions) -> Iterator[Vllm]:
    """It reports, and there is nothing to report."""
    with Vllm(replace(vllm_options, prefix_caching=False)) as running:
        yield running


@pytest.mark.parametrize("kind", ["anthropic", "chat"])
async def test_not_reported_is_not_zero(
    silent: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession, kind: str
) -> None:
    gateway = await open_gateway(silent.url, upstream__kind=kind)
    records = Records(gateway)
    talk = Talk(f"not told {kind}")
    before = counts(silent)
    for turn in range(2):
        talk.answered(text_of(await post(http, gateway.url + "/v1/messages", talk.body())))
        await records.until(turn + 1)
    assert counts(silent).since(before).cached > 1000, "it does reuse"
    assert [record.usage.cached_tokens for record in records] == [None, None]
    verdict = records[1].verdict
    assert verdict is not None
    assert (verdict.outcome, verdict.causes) == ("unknown", ("SRV006",))


async def test_what_else_it_keeps_to_itself(silent: Vllm, http: aiohttp.ClientSession) -> None:
    body = Talk("kept to itself").body()
    for path, asked in (("/v1/messages/render", body), ("/v1/chat/completions/render", chat_of(body))):
        async with http.post(silent.url + path, json=asked) as answer:
            assert answer.status == 403
    chat = chat_of(body)
    tokenized = await post(http, silent.url + "/tokenize", {"messages": chat["messages"], "tools": chat["tools"]})
    assert tokenized["count"] > 1000, "the tokens are told all the same"


async def test_caching_that_is_off_reports_zero_and_only_zero(
    forgetful: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(forgetful.url)
    records = Records(gateway)
    talk = Talk("forgotten")
    for turn in range(3):
        talk.answered(text_of(await post(http, gateway.url + "/v1/messages", talk.body())))
        await records.until(turn + 1)
    assert [record.usage.cached_tokens for record in records] == [0, 0, 0]
    async with http.get(forgetful.url + "/metrics") as answer:
        assert 'enable_prefix_caching="False"' in await answer.text()


async def test_a_later_start_shows(vllm: Vllm, forgetful: Vllm) -> None:
    """The Prometheus client tells when a process was started: no other sign of a new start is needed."""
    started = [await asyncio.to_thread(one.metrics, "process_start_time_seconds") for one in (vllm, forgetful)]
    assert started[0] < started[1]
