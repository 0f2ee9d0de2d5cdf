"""The page's own arithmetic: the diff of two texts, the forks of a conversation, segments that are folded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenGateway, OpenPage, OpenStub, on_loop
from tests.browser.stage import made

pytestmark = pytest.mark.asyncio(loop_scope="module")


@on_loop
async def page(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub, open_page: OpenPage) -> Page:
    return await open_page((await made(tmp_path, open_gateway, open_stub)).url, "#/sessions")


async def call(page: Page, module: str, function: str, *values: Any) -> Any:
    """What a function of the page gives."""
    return await page.evaluate(
        "async ([module, name, values]) => (await import(`/ui/${module}.js`))[name](...values)",
        [module, function, list(values)],
    )


async def test_a_diff_holds_both_texts_and_calls_the_same_only_what_is(page: Page) -> None:
    dice = random.Random(5)
    vocabulary = ["heron", " ", "egret", "\n", "12", "{", "}", "  ", "ibis", ".", "é"]
    for _ in range(60):
        before = "".join(dice.choices(vocabulary, k=dice.randint(0, 60)))
        after = before[: dice.randint(0, len(before))] + "".join(dice.choices(vocabulary, k=dice.randint(0, 40)))
        parts = await call(page, "diff", "compare", before, after)
        assert "".join(text for kind, text in parts if kind != "come") == before
        assert "".join(text for kind, text in parts if kind != "gone") == after
        assert (before == after) == all(kind == "same" for kind, _ in parts)
    long = " ".join(str(number) for number in range(2000))
    parts = await call(page, "diff", "compare", f"a {long} b", f"c {long} d")
    assert "".join(text for kind, text in parts if kind != "come") == f"a {long} b"


async def test_a_request_behind_an_older_one_is_a_fork(page: Page) -> None:
    rows = [{"id": "a", "parent": ""}, {"id": "b", "parent": "a"}, {"id": "c", "parent": "b"}]
    rows += [{"id": "d", "parent": "a"}, {"id": "e", "parent": "d"}, {"id": "f", "parent": "d"}]
    tree = await call(page, "tree", "branches", rows)
    assert [row["id"] for row in tree["records"]] == ["a", "b", "c"]
    (fork,) = tree["children"]
    assert [row["id"] for row in fork["records"]] == ["d", "e"]
    assert fork["from"]["id"] == "a"
    (inner,) = fork["children"]
    assert [row["id"] for row in inner["records"]] == ["f"]
    assert (await call(page, "tree", "branches", []))["records"] == []


async def test_segments_that_stand_are_folded_and_a_break_is_not(page: Page) -> None:
    states = ["stable", "stable", "stable", "changed", "changed", "again", "again", "new"]
    rows = await call(page, "segments", "folded", [{"state": state} for state in states])
    assert [(row["state"], len(row["of"])) for row in rows] == [
        ("stable", 3),
        ("changed", 1),
        ("changed", 1),
        ("again", 2),
        ("new", 1),
    ]


async def test_many_side_calls_share_a_lane_and_so_do_many_sub_agents(page: Page) -> None:
    def conversations(main: int, helpers: int, sides: int) -> list[dict[str, Any]]:
        kinds = ["main"] * main + ["subagent"] * helpers + ["side"] * sides
        sums = {"requests": 2, "cached_tokens": 0, "processed_tokens": 0}
        return [{"kind": kind, "lineage": str(n), "agent": "", "sums": sums} for n, kind in enumerate(kinds)]

    async def lanes(main: int, helpers: int, sides: int) -> list[str]:
        of = [{"lineage": "elsewhere"}]
        return [
            lane["title"] for lane in await call(page, "timeline", "lanesOf", conversations(main, helpers, sides), of)
        ]

    assert await lanes(1, 2, 1) == ["main", "sub-agent", "sub-agent", "side call", "no conversation"]
    assert await lanes(2, 9, 7) == ["main", "main", "sub-agents", "side calls", "no conversation"]
