"""One plain page, and what is said where there is nothing."""

from __future__ import annotations

from keepwarm.views.top.frame import KEYS, empty, frame, help_text, keys
from keepwarm.views.top.head import Gateway
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.picture import Picture
from tests.shell.top.stage import LIVE, URL
from tests.views.day import NOON

NOTHING = Picture(NOON, trouble="no requests yet: `keepwarm serve` makes the ledger")


def test_what_to_do_next() -> None:
    said = "\n".join(line.plain for line in empty(NOTHING, Gateway(URL), Paper(80)))
    assert "1. start the gateway" in said
    assert "2. start an agent on it" in said
    running = "\n".join(line.plain for line in empty(NOTHING, Gateway(URL, LIVE), Paper(80)))
    assert "the gateway runs" in running
    assert f"ANTHROPIC_BASE_URL={URL} ANTHROPIC_API_KEY=dummy claude" in running


def test_a_filter_that_nothing_fits() -> None:
    (line,) = empty(Picture(NOON, words="zzz"), Gateway(URL), Paper(80))
    assert "Esc takes it off" in line.plain


def test_the_page_without_requests() -> None:
    lines = frame(NOTHING, Gateway(URL), (), Paper(80))
    assert any("keepwarm serve" in line.plain for line in lines)
    assert all(line.cell_len <= 80 for line in lines)


def test_help_fits_the_smallest_screen() -> None:
    for ascii_only in (False, True):
        text = help_text(Paper(78, ascii_only))
        assert max(map(len, text.splitlines())) <= 78
        assert len(text.splitlines()) <= 23
        assert text.isascii() is ascii_only


def test_keys_at_every_width() -> None:
    assert keys(Paper(120)).plain == KEYS
    assert len(keys(Paper(80)).plain) <= 80
