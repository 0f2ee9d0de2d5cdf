"""What `keepwarm doctor` finds out about a real vLLM, and what `keepwarm verify` measures on it."""

from __future__ import annotations

import pytest
from rich.console import Console

from keepwarm.checks.cache_probe import judge_probe
from keepwarm.checks.template import Template
from keepwarm.checks.trial import ARMS, Arm
from keepwarm.shell.client import Upstream
from keepwarm.shell.server_look import look, look_at_template, probe_cache
from keepwarm.testing.verify import Wish, verify
from keepwarm.testing.vllm import NAME, Vllm

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


async def test_its_name_its_template_and_its_cache(vllm: Vllm) -> None:
    upstream = Upstream(vllm.url)
    try:
        server = await look(upstream)
        assert (server.name, server.model, server.traits.context) == ("vLLM", NAME, 65_536)
        assert server.version.startswith("0.32")
        facts = await look_at_template(upstream, server)
        assert facts == Template(tools="behind", drops_thinking=True, keeps_when_asked=True, inline="in place")
        found = {one.code: one.severity for one in judge_probe(await probe_cache(upstream, server), server.name)}
        assert found["reuse"] == "ok"
        assert found["reports"] == "ok"
        assert (found["line-removed"], found["header-masked"]) == ("ok", "ok")  # vLLM takes it out in both
        assert found["head-costs"] == "info"
    finally:
        await upstream.close()


async def test_the_line_costs_nothing_because_vllm_takes_it_out(vllm: Vllm) -> None:
    trial = await verify(Wish(upstream=vllm.url, rounds=1, tokens=1500), Console(quiet=True))
    assert trial.server.startswith("vLLM 0.32")
    for arm in ARMS:
        for one in trial.later(arm):
            assert one.processed is not None
            assert one.processed < 200
    straight = trial.of(Arm("straight", True))
    assert {(one.evidence, one.with_line) for one in straight} == {("template", False)}
