"""Engines for the cells of the scenario matrix, each started once; cells on one engine share no words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model
from tests.scenarios.cells import Cell

EnginesFor = Callable[[Cell], list[str]]
CONTEXT = 16_384
"""Tokens a slot: more than any of the conversations comes to."""
# llama.cpp's threads wait for each other by spinning: one is faster than two where anybody else is at work.
THREADS = 1
_KEPT = 3
"""Engines that run at a time."""


@pytest.fixture(scope="session")
def engines_for() -> Iterator[EnginesFor]:
    """engines_for(cell): the URLs of its engines, running."""
    running: dict[tuple[str, int, int, int], Engine] = {}

    def start(cell: Cell) -> list[str]:
        keys = [(cell.template, cell.slots, cell.cache_mib, number) for number in range(cell.engines)]
        for key in keys:
            if key not in running:
                template, slots, cache, _ = key
                options = EngineOptions(
                    model=tiny_model(),
                    slots=slots,
                    context=CONTEXT * slots,
                    threads=THREADS,
                    cache_ram_mib=cache,
                    chat_template=template_text(template),
                )
                running[key] = Engine(options).start()
            running[key] = running.pop(key)
        for old in list(running)[: max(0, len(running) - max(_KEPT, len(keys)))]:
            running.pop(old).stop()
        return [running[key].url for key in keys]

    yield start
    for engine in running.values():
        engine.stop()
