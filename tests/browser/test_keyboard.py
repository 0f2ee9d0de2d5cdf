"""Everything by the keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenGateway, OpenPage, OpenStub, on_loop
from tests.browser.stage import Made, made

pytestmark = pytest.mark.asyncio(loop_scope="module")


@on_loop
async def there(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub) -> Made:
    return await made(tmp_path, open_gateway, open_stub)


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def focused(page: Page) -> str:
    told: str = await page.evaluate(
        "document.activeElement.closest('[data-key]')?.dataset.key ?? document.activeElement.tagName"
    )
    return told


async def test_from_the_list_of_sessions_to_a_verdict_and_back(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url)
    await page.locator(".rows .row").first.wait_for()
    await press(page, "g", "s")
    await expect(page).to_have_url(re.compile("#/sessions"))
    await page.locator(".sessions .rows .row").first.wait_for()
    await press(page, "j")
    assert await focused(page) == there.session
    # The focus is to be seen.
    outline = await page.evaluate("getComputedStyle(document.activeElement.closest('.row')).outlineWidth")
    assert outline == "2px"
    await press(page, "j", "k", "Enter")
    await expect(page).to_have_url(re.compile(f"#/session/{there.session}"))
    await page.locator("[data-turn]").first.wait_for()
    await press(page, "j", "j", "j")
    order = sorted(there.records, key=lambda record: record.at)
    assert await focused(page) in [record.id for record in order[:4]]
    third = await focused(page)
    await press(page, "Enter")
    inspector = page.locator("#inspector")
    await expect(inspector).to_contain_text(third)
    await inspector.locator(".steps a").first.wait_for()
    await press(page, "]")
    await expect(page).not_to_have_url(re.compile(third))
    await press(page, "[")
    await expect(page).to_have_url(re.compile(third))
    await press(page, "Escape")
    await expect(inspector).to_be_hidden()
    await press(page, "Escape")
    await expect(page).to_have_url(re.compile("#/sessions"))


async def test_slash_filters_and_escape_leaves_it(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/requests")
    await page.locator(".rows .row").first.wait_for()
    await press(page, "/")
    await page.keyboard.type("HIS005 jk")
    await expect(page.get_by_text("none that the filters let through")).to_be_visible()
    await press(page, "Backspace", "Backspace", "Backspace")
    await expect(page.locator(".rows .row").first).to_contain_text("HIS005")
    await press(page, "Escape")
    assert await focused(page) == "BODY"
    await press(page, "j")
    assert await focused(page) != "BODY"


async def test_question_mark_shows_the_keys(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/live")
    await page.locator(".rows .row").first.wait_for()
    await press(page, "?")
    await expect(page.get_by_role("dialog")).to_contain_text("next, previous row or turn")
    await press(page, "Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_tab_reaches_everything_and_the_first_stop_skips_the_frame(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/sessions")
    await page.locator(".rows .row").first.wait_for()
    await press(page, "Tab", "Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await press(page, "Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")


async def test_a_row_keeps_the_focus_when_the_list_scrolls_away(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/requests")
    await page.locator(".rows .row").first.wait_for()
    await press(page, "j")
    first = await focused(page)
    await page.locator(".scroller").evaluate("element => element.scrollTop = 3000")
    await page.locator('.rows .row[aria-rowindex="110"]').wait_for()
    assert await focused(page) == first
