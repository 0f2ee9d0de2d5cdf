"""One vLLM for all of these tests: it takes a minute to start. `make test-vllm` runs them, `make test` does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from keepwarm.testing.vllm import Vllm, VllmOptions
from keepwarm.testing.vllm_model import vllm_model
from tests.shell.conftest import open_gateway

__all__ = ["open_gateway"]

ENVIRONMENT = ".vllm"
"""Below the root of the checkout."""


@pytest.fixture(scope="session")
def vllm_options(repository: Path) -> VllmOptions:
    """How these tests start vLLM; one that wants another way replaces what it wants."""
    return VllmOptions(environment=repository / ENVIRONMENT, model=vllm_model())


@pytest.fixture(scope="session")
def vllm(vllm_options: VllmOptions) -> Iterator[Vllm]:
    """A running server that everybody shares: tests tell their prompts apart from the first words on."""
    with Vllm(vllm_options) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        yield session
