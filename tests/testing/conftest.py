"""Real engines on the tiny model, one for each kind of template and number of slots, shared by the session's tests.

Tests that share an engine tell their prompts apart, and compare counts only within themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.testing.agent_process import CLIENTS_VARIABLE
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model
from keepwarm.testing.tiny_shapes import Memory
from tests.testing.stand_ins import StandIn, put

EngineFor = Callable[..., Engine]


@pytest.fixture(scope="session")
def model() -> Path:
    """The tiny GGUF, in the session's own cache folder."""
    return tiny_model()


@pytest.fixture(scope="session")
def engine_for(model: Path) -> Iterator[EngineFor]:
    """engine_for(template="qwen_like", slots=2, context=65536, memory="full"): a running engine.

    context is of all slots together; what else is said are EngineOptions by name.
    """
    running: dict[object, Engine] = {}

    def start(
        template: str = "qwen_like", slots: int = 2, context: int = 65_536, memory: Memory = "full", **more: Any
    ) -> Engine:
        key = (template, slots, context, memory, *sorted(more.items()))
        if key not in running:
            text = template_text(template)
            # One thread: llama.cpp's threads wait for each other by spinning, which a busy machine makes very slow.
            common = {"threads": 1, "cache_ram_mib": 256, "chat_template": text, **more}
            options = EngineOptions(model=tiny_model(memory=memory), context=context, slots=slots, **common)
            running[key] = Engine(options).start()
        return running[key]

    yield start
    for engine in running.values():
        engine.stop()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """stand_in(installation, program, script): writes a script where the drivers look for the agent."""

    def write(installation: str, program: str, script: str) -> Path:
        monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path / "clients"))
        return put(tmp_path / "clients", installation, program, script)

    return write
