"""Both themes, narrow widths, and axe's judgement of every view."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from keepwarm.testing.browser import find_axe
from keepwarm.views import words
from tests.browser.conftest import DESK, PHONE, OpenGateway, OpenPage, OpenStub, on_loop
from tests.browser.stage import Made, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIGHT, DARK = "rgb(246, 247, 248)", "rgb(14, 18, 23)"


@on_loop
async def there(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub) -> Made:
    return await made(tmp_path, open_gateway, open_stub)


def places(there: Made) -> list[str]:
    at = there.broken("VOL004").id
    return [
        "#/live",
        "#/sessions",
        f"#/session/{there.session}",
        f"#/requests?at={at}",
        f"#/session/{there.session}?at={at}",
        "#/trends",
    ]


async def settle(page: Page) -> None:
    """Wait until what was asked for is there."""
    await page.locator('#wire[data-state="live"]').wait_for()
    await page.wait_for_load_state("load")
    await page.locator("main :is(.row a, .chart canvas)").first.wait_for()
    if "at=" in page.url:
        await page.locator(".v-stack .tower").wait_for()


@pytest.mark.parametrize(("scheme", "size", "seen"), [("light", "desk", 6), ("dark", "desk", 2), ("light", "phone", 2)])
async def test_axe_finds_nothing_serious(there: Made, open_page: OpenPage, scheme: str, size: str, seen: int) -> None:
    axe = find_axe().read_text(encoding="utf-8")
    found = []
    for where in places(there)[-seen:]:  # the last two show nearly every part that there is
        page = await open_page(there.url, where, color_scheme=scheme, viewport=PHONE if size == "phone" else DESK)
        await settle(page)
        await page.evaluate(axe)
        # Of what is in order one element a rule is told: that, and not the looking, takes most of the time.
        result = await page.evaluate('axe.run({resultTypes: ["violations"]})')
        assert result["passes"], "axe has looked"
        for fault in result["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [node["html"][:120] + " " + node["failureSummary"] for node in fault["nodes"][:3]]
                found.append(f"{where} {fault['id']}: {fault['help']}: {json.dumps(nodes)}")
        await page.context.close()
    assert found == []


async def test_axe_can_find_something(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/sessions")
    await settle(page)
    await page.evaluate(
        """() => {
          const help = document.querySelector("#help");
          help.removeAttribute("aria-label");
          help.replaceChildren();
          help.title = "";
        }"""
    )
    await page.evaluate(find_axe().read_text(encoding="utf-8"))
    faults = (await page.evaluate('axe.run({resultTypes: ["violations"]})'))["violations"]
    assert "button-name" in [fault["id"] for fault in faults]


async def ground(page: Page) -> str:
    colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


async def test_the_theme_follows_the_system_until_it_is_chosen(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/live", color_scheme="dark")
    assert await ground(page) == DARK
    await page.get_by_role("button", name="Switch between dark and light").click()
    assert await ground(page) == LIGHT
    await page.reload()
    assert await ground(page) == LIGHT
    await page.keyboard.press("t")
    assert await ground(page) == DARK
    await page.emulate_media(color_scheme="light")
    assert await ground(page) == DARK


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
async def test_no_view_is_wider_than_the_window(there: Made, open_page: OpenPage, width: int) -> None:
    page = await open_page(there.url, "#/live", viewport={"width": width, "height": 900})
    for where in places(there):
        await page.goto(f"{there.url}/ui{where}")
        await settle(page)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, where


async def test_on_a_phone_the_verdict_covers_the_list_and_gives_way_again(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/requests", viewport=PHONE)
    await page.locator(".rows .row a").first.click()
    await expect(page.locator("#inspector .v-stack .tower")).to_be_visible()
    box = await page.locator("#inspector").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, PHONE["width"])
    await page.get_by_role("button", name="Close the verdict").click()
    await expect(page.locator("#inspector")).to_be_hidden()


async def test_numbers_are_said_as_in_the_terminal(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/live")
    numbers = [0, 1, 9, 431, 999, 1000, 1049, 20_431, 99_999, 100_000, 204_999, 999_999, 1_000_000, 9_600_000, 10**9]
    spans = [0.04, 9.94, 9.95, 310.4, 999.4, 999.5, 3_100, 99_949, 99_951, 142_000, 3_599_499, 3_600_000]
    shares = [(0, 0), (0, 9), (9, 9), (1, 2), (1, 3), (2, 3), (9_999, 10_000), (1, 10_000), (398, 1000)]
    shown = await page.evaluate(
        """async ([numbers, spans, shares]) => {
          const words = await import("/ui/words.js");
          return [
            [...numbers, null].map(words.count),
            [...numbers, null].map(words.short),
            [...spans, null].map(words.span),
            shares.map(([part, whole]) => words.share(part, whole)),
          ];
        }""",
        [numbers, spans, shares],
    )
    assert shown == [
        [words.count(number) for number in [*numbers, None]],
        [words.short(number) for number in [*numbers, None]],
        [words.span(number) for number in [*spans, None]],
        [words.share(*pair) for pair in shares],
    ]
