"""A template that drops earlier reasoning, on a real vLLM: told to keep it where the rules are on, named else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from keepwarm.shell.client import Upstream
from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.stands import VLLM
from keepwarm.testing.templates import template_text
from keepwarm.testing.vllm import Vllm, VllmOptions

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


@pytest.mark.parametrize("shape", ["messages", "chat"])
async def test_what_it_drops_is_named_where_the_gateway_observes(shape: Any, dropping: Vllm, tmp_path: Path) -> None:
    scenario = Scenario(("clean",), 77, shape=shape)
    setting = Setting(mends=False, exact=True)
    played = await play(scenario, setting, [dropping.url], tmp_path / "ledger.sqlite", VLLM)
    verdicts = [step.record.verdict for step in played.steps]
    lost = [one for one in verdicts if one is not None and one.causes]
    assert lost, "it drops reasoning at a new turn of the user"
    assert {one.causes for one in lost} == {("HIS002",)}
    assert {one.grade for one in lost} == {"exact"}
    assert not any(step.record.edits for step in played.steps)
