"""The charts: what is drawn adds up."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.ledger.sums import Bucket, Sums
from keepwarm.views.report import charts

TOKENS = st.integers(0, 10**9)
SUMS = st.builds(Sums, cached_tokens=TOKENS, processed_tokens=TOKENS, lost_tokens=TOKENS, requests=st.integers(1, 99))


@given(SUMS)
def test_the_parts_are_the_whole(sums: Sums) -> None:
    assert sum(charts.parts(sums)) == sums.cached_tokens + sums.processed_tokens
    assert min(charts.parts(sums)) >= 0


@given(st.lists(SUMS, min_size=1, max_size=30))
def test_a_timeline_stays_in_its_frame(row: list[Sums]) -> None:
    drawn = charts.timeline([Bucket(3600.0 * number, sums) for number, sums in enumerate(row)], 3600.0)
    root = ElementTree.fromstring(drawn)
    _, _, wide, tall = map(float, root.attrib["viewBox"].split())
    bars = root.findall("g")
    assert len(bars) == len(row)
    for bar in bars:
        for rect in bar.findall("rect"):
            x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            assert x >= 0
            assert x + w <= wide + 0.2
            assert y >= -0.2
            assert y + h <= tall + 0.2


def test_the_bar_of_a_period() -> None:
    drawn = charts.share_bar(Sums(cached_tokens=750, processed_tokens=250, lost_tokens=100))
    wide = dict(re.findall(r'class="(reused|again|new)"[^>]* width="([\d.]+)"', drawn))
    assert wide == {"reused": "675.0", "again": "90.0", "new": "135.0"}
    assert "reused: 750 tokens (75.0%)" in drawn


def test_every_colour_has_words() -> None:
    assert all(told in charts.legend() for told in ("reused", "processed again", "new"))
