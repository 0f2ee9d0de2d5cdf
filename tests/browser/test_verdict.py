"""From a session's timeline down to the verdict of a turn, and a link that leads there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from keepwarm.ledger.query import Query
from keepwarm.views import words
from tests.browser.conftest import OpenGateway, OpenPage, OpenStub, on_loop
from tests.browser.stage import Made, made

pytestmark = pytest.mark.asyncio(loop_scope="module")


@on_loop
async def there(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub) -> Made:
    return await made(tmp_path, open_gateway, open_stub)


async def test_a_break_in_the_timeline_opens_its_verdict(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/sessions")
    await page.get_by_role("link", name=re.compile(f"^{there.session[:8]}: session")).first.click()
    await expect(page.locator("[data-turn]")).to_have_count(len(there.records))
    broken = there.broken("HIS005")
    bar = page.locator(f'[data-key="{broken.id}"][data-turn]')
    await expect(bar).to_have_class(re.compile("partial"))
    await expect(bar).to_contain_text("HIS005")
    await bar.click()
    verdict = page.locator("#inspector")
    assert broken.verdict is not None
    await expect(verdict).to_contain_text(broken.verdict.sentence)
    await expect(verdict).to_contain_text(f"{broken.verdict.lost:,} tokens")
    await expect(verdict).to_contain_text("the client")
    await expect(verdict.locator(".v-diff del").first).to_be_visible()
    await expect(verdict.locator(".v-stack .tower")).to_be_visible()
    await expect(verdict.locator("details pre").last).to_contain_text("Verdict")
    await expect(verdict.locator(".causing summary").first).to_contain_text("HIS005 edited-history")
    await verdict.locator(".causing summary").first.click()
    await expect(verdict.locator(".rule")).to_contain_text("keepwarm rule HIS005")
    # The address is the place: it opens the same again.
    assert broken.id in page.url
    again = await open_page(there.url, page.url.partition("/ui")[2])
    await expect(again.locator("#inspector")).to_contain_text(broken.verdict.sentence)
    await expect(again.locator(f'[data-key="{broken.id}"][data-turn]')).to_have_attribute("aria-current", "true")


async def test_each_conversation_has_a_lane_and_a_place_in_the_tree(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, f"#/session/{there.session}")
    lineages = {record.lineage for record in there.records}
    await expect(page.locator(".lane")).to_have_count(len(lineages))
    tree = page.locator(".tree")
    await expect(tree.locator(".node")).to_have_count(len(lineages) + 1)
    await expect(tree.get_by_role("link", name="fork behind turn 25")).to_be_visible()
    await expect(tree).to_contain_text("sub-agent explore")


async def test_what_was_not_reported_is_no_number(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, f"#/requests?outcome=unknown&at={there.silent.id}")
    row = page.locator(f'.rows .row[data-key="{there.silent.id}"]')
    await expect(row.locator(".c-tokens")).to_have_text(re.compile(r"^- / "))
    await expect(row.get_by_role("img", name="reuse not reported")).to_be_visible()
    verdict = page.locator("#inspector")
    await expect(verdict).to_contain_text("The server reported no cached tokens")
    await expect(verdict.locator(".parts")).to_have_count(0)
    sessions = await open_page(there.url, f"#/sessions?q={there.silent.session}")
    await expect(sessions.locator(".rows .row .c-rate")).to_have_text("-")


async def test_filters_are_in_the_address_and_narrow_the_list(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/requests")
    rows = page.locator(".rows .row")
    await rows.first.wait_for()
    await page.get_by_label("Filter by outcome").select_option("miss")
    await expect(page).to_have_url(re.compile("outcome=miss"))
    await expect(rows.locator(".c-verdict").filter(has_not_text="miss")).to_have_count(0)
    await expect(rows.locator(".c-verdict").first).to_contain_text("miss")
    await page.get_by_label("Filter by cause").select_option("VOL001")
    await expect(rows.locator(".why").first).to_contain_text("VOL001")
    await page.get_by_role("button", name="clear").click()
    await expect(page).not_to_have_url(re.compile("outcome"))


async def test_a_request_that_is_not_there_is_said_to_be_none(there: Made, open_page: OpenPage) -> None:
    page = await open_page(there.url, "#/requests?at=0000000000000000", allowed="404")
    await expect(page.locator("#inspector .oops")).to_be_visible()


async def test_the_figures_are_those_of_the_ledger(there: Made, open_page: OpenPage) -> None:
    with Query(there.ledger) as query:
        sums = query.totals()
    page = await open_page(there.url, "#/live")
    tiles = page.locator("dl.figures")
    await expect(tiles).to_contain_text(words.share(sums.cached_tokens, sums.cached_tokens + sums.processed_tokens))
    shown = await tiles.inner_text()
    for figure in (sums.requests, sums.cached_tokens, sums.processed_tokens, sums.lost_tokens):
        assert words.short(figure) in shown.split()
