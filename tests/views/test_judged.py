"""A verdict in plain words, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from keepwarm.ledger.records import Place, Verdict
from keepwarm.views.judged import say_verdict
from keepwarm.views.sheet import Sheet
from tests.ledger.samples import a_record
from tests.views.screens import show

BEFORE = a_record(id="bbbb11112222", turn=2)
EDITED = Verdict(
    "partial",
    "client",
    "exact",
    expected=511,
    actual=420,
    lost=294,
    causes=("HIS005", "SRV001"),
    places=(Place("/messages/2/content", 785, "messages[2] (user)", "xx xxx", "xx 0", "HIS005"),),
    had=714,
    lost_ms=840.0,
    shared=511,
)

PARTS = "there the prompt parts from that of request bbbb11, turn 2"
IDS = "by the server's ids both prompts begin with the same 511 tokens"


def said(verdict: Verdict | None, *, previous: bool = True, recorded: bool = False) -> str:
    sheet = Sheet(ascii_only=False)
    say_verdict(sheet, a_record(verdict=verdict), BEFORE if previous else None, recorded)
    return show(sheet.table, width=200)


def test_an_exact_one_says_how_it_was_obtained() -> None:
    assert said(EDITED).splitlines() == [
        "Had       714 tokens stood in the cache after request bbbb11, turn 2.",
        f"Expected  511 tokens could have been reused: {PARTS}; {IDS}.",
        "Actual    420 were reused: 91 fewer than could have been.",
        "Lost      294 tokens (0.84 s) had been processed before and were processed again.",
        "Verdict   partial (exact: by the server's own token ids, which were asked for after the answer).",
        "Fault     the client, which changed what it had sent before.",
        "Cause     HIS005 edited-history, in messages[2] (user), after 785 characters",
        "          at /messages/2/content",
        "  before  xx xxx",
        "  now     xx 0",
        "          SRV001 server-dropped-cache",
        "          (letters and figures are hidden: `keepwarm serve --record` keeps the words)",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grade": "estimated", "shared": None}, "Expected  About 511 tokens could have been reused"),
        ({"expected": None}, "Expected  How much could have been reused is not known."),
        ({"actual": None}, "Actual    What was reused, the server does not say."),
        ({"actual": 511}, "Actual    511 were reused: all that could be."),
        ({"outcome": "first", "expected": 0}, "Expected  Nothing: it is the first request of its conversation."),
        ({"lost_ms": 8_230.0}, "Lost      294 tokens (8.2 s) had been"),
        ({"lost_ms": None}, "Lost      294 tokens had been"),
        ({"causes": (), "places": (Place("/x", 0, "system[1]"),)}, "Cause     known to no rule, in system[1]"),
        ({"causes": ("ZZZ9",), "places": ()}, "Cause     ZZZ9"),
    ],
)
def test_what_is_not_known_is_not_said(changes: Any, words: str) -> None:
    assert words in said(replace(EDITED, **changes))


def test_where_the_words_are_kept_they_are_not_hidden() -> None:
    assert "hidden" not in said(EDITED, recorded=True)


def test_an_older_ledger_knows_one_place() -> None:
    old = replace(EDITED, places=(), place=Place("/system", 3, "system", "a", "b"))
    assert "HIS005 edited-history, in system, after 3 characters" in said(old)


def test_without_a_verdict_nothing_is_said() -> None:
    assert said(None) == ""
