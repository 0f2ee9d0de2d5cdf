"""A template that drops earlier reasoning, on a real vLLM: told to keep it where the rules are on, named else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from keepwarm.shell.client import Upstream
from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.stands import VLLM
from keepwarm.testing.templates import template_text
from keepwarm.testing.vllm import Vllm, VllmOptions
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Talk, post

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def dropping(vllm_options: VllmOptions, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A vLLM with such a template."""
    file = tmp_path_factory.mktemp("template") / "qwen_like.jinja"
    file.write_text(template_text("qwen_like"), encoding="utf-8")
    with Vllm(replace(vllm_options, chat_template=file)) as running:
        yield running


async def test_it_is_seen_by_asking_for_its_tokens(dropping: Vllm) -> None:
    upstream = Upstream(dropping.url)
    traits = await upstream.traits()
    await upstream.close()
    assert traits is not None
    assert (traits.server, traits.drops_thinking) == ("vllm", True)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("shape", ["messages", "chat"])
async def test_what_it_drops_is_named_where_the_gateway_observes(
    shape: Any, exact: bool, dropping: Vllm, tmp_path: Path
) -> None:
    scenario = Scenario(("clean",), 77, shape=shape)
    setting = Setting(mends=False, exact=exact)
    played = await play(scenario, setting, [dropping.url], tmp_path / "ledger.sqlite", VLLM)
    verdicts = [step.record.verdict for step in played.steps]
    lost = [one for one in verdicts if one is not None and one.causes]
    assert lost, "it drops reasoning at a new turn of the user"
    assert {one.causes for one in lost} == {("HIS002",)}
    assert {one.blame for one in lost} == {"server"}
    assert {one.grade for one in lost} == {"exact" if exact else "estimated"}
    assert not any(step.record.edits for step in played.steps)


async def test_a_prompt_is_counted_as_it_would_be_sent(
    dropping: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(dropping.url)
    records = Records(gateway)
    talk = Talk("counted")
    talk.body()
    thought = {"type": "thinking", "thinking": "I go through it word by word. " * 20, "signature": "s"}
    talk.messages.append({"role": "assistant", "content": [thought, {"type": "text", "text": "Done."}]})
    body = talk.body()
    told = await post(http, gateway.url + "/v1/messages/count_tokens", body)
    straight = await post(http, dropping.url + "/v1/messages/count_tokens", body)
    await post(http, gateway.url + "/v1/messages", body)
    await records.until(1)
    assert told["input_tokens"] == records[0].usage.prompt_tokens
    assert told["input_tokens"] > straight["input_tokens"] + 60, "the reasoning counts"
