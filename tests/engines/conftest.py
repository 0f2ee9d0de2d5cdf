"""Engines of every kind of memory, each test's own: nothing is warm from another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model
from keepwarm.testing.tiny_shapes import Memory
from tests.engines.stage import Stage, staged

OpenStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def open_stage(tmp_path: Path) -> AsyncIterator[OpenStage]:
    """await open_stage("swa", slots=1, checkpoints=0): a stage on such an engine, gone when the test ends.

    What else is said are EngineOptions by name, and `gateway={...}` settings of the gateway.
    """
    async with AsyncExitStack() as stack:

        async def start(memory: Memory, *, gateway: dict[str, Any] | None = None, **options: Any) -> Stage:
            # One thread: llama.cpp's threads wait for each other by spinning.
            options = {"slots": 2, "context": 32_768, "threads": 1, "cache_ram_mib": 256, **options}
            template = template_text("qwen_like")
            engine = Engine(EngineOptions(model=tiny_model(memory=memory), chat_template=template, **options))
            stack.callback(engine.stop)
            engine.start()
            generating = memory != "full"  # elsewhere a slot is the same either way, and this is the slower one
            return await stack.enter_async_context(staged(engine, tmp_path, generating=generating, **(gateway or {})))

        yield start
