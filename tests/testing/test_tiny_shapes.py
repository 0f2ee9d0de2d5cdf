"""Each shape keeps a prompt as its kind of memory does: asked over plain HTTP, counted by llama.cpp itself."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from keepwarm.testing.tiny_shapes import SHAPES, WINDOW, Memory
from tests.testing.conftest import EngineFor

Tokens = list[int]
Complete = Callable[..., Awaitable[tuple[int, Tokens]]]
Opener = Callable[..., Complete]
HELD: int = 768
"""Tokens that llama.cpp holds of the window of 128: with a micro batch of 512, rounded up to whole 256."""
_RANDOM = random.Random(1)


@pytest.fixture
async def asking(engine_for: EngineFor) -> AsyncIterator[Opener]:
    """asking(memory, **options): a function that completes a row of tokens in slot 0 of such an engine."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:

        def start(memory: Memory, **options: object) -> Complete:
            url = engine_for(memory=memory, **options).url

            async def complete(prompt: Tokens, generate: int = 0) -> tuple[int, Tokens]:
                body = {"prompt": prompt, "n_predict": generate, "id_slot": 0, "return_tokens": True}
                async with session.post(url + "/completion", json={**body, "ignore_eos": True}) as answer:
                    said = await answer.json()
                    assert said["timings"]["cache_n"] + said["timings"]["prompt_n"] == len(prompt)
                    return said["timings"]["prompt_n"], said["tokens"]

            return complete

        yield start


def words(count: int) -> Tokens:
    """So many tokens that no other prompt begins with."""
    return [_RANDOM.randrange(1000, 40000) for _ in range(count)]


@pytest.mark.parametrize("checkpoints", [None, 0])
@pytest.mark.parametrize("memory", SHAPES)
async def test_what_is_appended_to_is_never_processed_again(
    asking: Opener, memory: Memory, checkpoints: int | None
) -> None:
    complete = asking(memory, checkpoints=checkpoints)
    prompt = words(3000)
    assert (await complete(prompt))[0] == 3000
    for _ in range(3):
        processed, generated = await complete(prompt := [*prompt, *words(20)], 50)
        assert processed <= 21
        prompt += generated
    assert (await complete([*prompt, 7]))[0] == 2, "the last generated token is not in the cache"


@pytest.mark.parametrize(
    ("memory", "checkpoints", "again"),
    [
        ("full", 0, 1),
        ("swa", 0, 1),
        ("hybrid", None, 4),
        ("recurrent", None, 4),
        ("hybrid", 0, 1000),
        ("recurrent", 0, 1000),
    ],
)
async def test_the_same_prompt_once_more(asking: Opener, memory: Memory, checkpoints: int | None, again: int) -> None:
    complete = asking(memory, checkpoints=checkpoints)
    prompt = words(1000)
    await complete(prompt)
    assert (await complete(prompt))[0] == again


@pytest.mark.parametrize(
    ("memory", "options", "back", "again"),
    [
        ("full", {"checkpoints": 0}, 2500, 0),
        # A window can be left by what is held beyond it, and no further.
        ("swa", {"checkpoints": 0}, HELD - WINDOW - 10, 0),
        ("swa", {"checkpoints": 0}, HELD - WINDOW + 1, 3000 - (HELD - WINDOW + 1)),
        ("swa", {"checkpoints": 0, "swa_full": True}, 2500, 0),
        # A state cannot be left at all but for a checkpoint: they stand 4 and 516 tokens in front of a prompt's end.
        ("hybrid", {"checkpoints": 0}, 5, 2995),
        ("hybrid", {}, 5, 511),
        ("recurrent", {}, 510, 6),
        ("recurrent", {}, 517, 2483),
        ("swa", {}, 2500, 500),
    ],
)
async def test_a_cut(asking: Opener, memory: Memory, options: dict[str, object], back: int, again: int) -> None:
    complete = asking(memory, **options)
    prompt = words(3000)
    await complete(prompt)
    processed, _ = await complete([*prompt[: 3000 - back], *words(10)])
    assert processed == again + 10


@pytest.mark.parametrize(
    ("memory", "options", "again"),
    [
        ("full", {}, 0),
        ("hybrid", {}, 0),
        ("recurrent", {}, 0),
        ("hybrid", {"checkpoints": 0}, 0),
        # The host cache keeps the window alone, which does not reach back to where the next token would be cut off:
        # only the last checkpoint is good, and that stands in front of the answer.
        ("swa", {}, 100 + 4),
        ("swa", {"checkpoints": 0}, 3000 + 100 - 1),
        ("swa", {"swa_full": True}, 0),
    ],
)
async def test_back_from_the_host_cache(asking: Opener, memory: Memory, options: dict[str, object], again: int) -> None:
    complete = asking(memory, **options)
    prompt = words(3000)
    _, generated = await complete(prompt, 100)
    await complete(words(1))
    processed, _ = await complete([*prompt, *generated, *words(20)])
    assert processed == again + 20 + 1


async def test_an_end_that_is_appended_before_the_slot_is_left_saves_the_answer(asking: Opener) -> None:
    complete = asking("swa")
    prompt = words(3000)
    _, generated = await complete(prompt, 100)
    end = words(2)
    assert (await complete([*prompt, *generated, *end]))[0] == 3
    await complete(words(1))
    processed, _ = await complete([*prompt, *generated, *end, *words(20)])
    assert processed <= 20 + len(end) + 3


async def test_the_log_tells_it_only_to_those_who_ask(asking: Opener, tmp_path: Path) -> None:
    said = "forcing full prompt re-processing"
    for verbosity, heard in ((None, False), (4, True)):
        log = tmp_path / f"{verbosity}.log"
        complete = asking("recurrent", checkpoints=0, verbosity=verbosity, log_file=log)
        prompt = words(100)
        await complete(prompt)
        assert (await complete(prompt[:50]))[0] == 50
        assert (said in log.read_text(errors="replace")) is heard
