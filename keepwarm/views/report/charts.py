"""Charts as inline SVG: drawn here, so that the page needs no script and no network.

Colours are classes that the page's style gives a light and a dark value; each bar has its figures as a title, and
what a colour says stands in words beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from keepwarm.ledger.sums import Bucket, Sums
from keepwarm.views import words

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 240, 56, 28, 12
_PARTS: Final = (("reused", "reused"), ("again", "processed again"), ("new", "new"))
_LABELS: Final = 6


def parts(sums: Sums) -> tuple[int, int, int]:
    """(reused, processed again, new) tokens: together all that is known of the prompts."""
    again = min(sums.lost_tokens, sums.processed_tokens)
    return sums.cached_tokens, max(0, again), max(0, sums.processed_tokens - again)


def timeline(buckets: Sequence[Bucket], step: float) -> str:
    """The prompts' tokens of each step, as stacked bars."""
    first, last = buckets[0].at, buckets[-1].at
    count = round((last - first) / step) + 1
    highest = max(sum(parts(bucket.sums)) for bucket in buckets) or 1
    room = (_WIDTH - _LEFT - 8) / count
    tall = _HEIGHT - _BOTTOM - _TOP
    drawn = [_axis(highest, tall)]
    for bucket in buckets:
        x = _LEFT + round((bucket.at - first) / step) * room
        drawn.append(_bar(bucket, x, max(1.0, min(room * 0.86, 40.0)), tall, highest))
    every = max(1, -(-count // _LABELS))
    form = "%H:%M" if last - first < 86_400 else "%m-%d %H:%M" if step < 86_400 else "%m-%d"
    for number in range(0, count, every):
        x = _LEFT + number * room
        label = words.moment(first + number * step, form)
        drawn.append(f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 8}">{escape(label)}</text>')
    title = "Tokens of prompts over time: reused, processed again, new"
    return _svg(_WIDTH, _HEIGHT, title, drawn)


def share_bar(sums: Sums) -> str:
    """The whole period as one bar."""
    known = parts(sums)
    whole = sum(known) or 1
    x, drawn = 0.0, []
    for (name, told), tokens in zip(_PARTS, known, strict=True):
        wide = _WIDTH * tokens / whole
        title = f"{told}: {words.count(tokens)} tokens ({words.share(tokens, whole)})"
        drawn.append(_rect(name, x, 0, wide, 26, title))
        x += wide
    return _svg(_WIDTH, 26, "Reused, processed again and new tokens of the period", drawn)


def legend() -> str:
    """What the colours say."""
    return '<p class="legend">' + " ".join(f'<span class="key {n}"></span> {told}' for n, told in _PARTS) + "</p>"


def lost_bar(lost: int, most: int) -> str:
    """What one cause lost, against the cause that lost most."""
    wide = 160 * lost / (most or 1)
    return _svg(160, 12, f"{words.count(lost)} tokens lost", [_rect("again", 0, 0, max(2.0, wide), 12, "")], "small")


def _bar(bucket: Bucket, x: float, wide: float, tall: int, highest: int) -> str:
    known = parts(bucket.sums)
    whole = sum(known)
    y, drawn = float(_TOP + tall), []
    for (name, _), tokens in zip(_PARTS, known, strict=True):
        height = tall * tokens / highest
        y -= height
        drawn.append(_rect(name, x, y, wide, height, ""))
    told = (
        f"{words.moment(bucket.at, '%Y-%m-%d %H:%M')}: {words.times(bucket.sums.requests, 'request')}, "
        f"{words.share(known[0], whole)} of {words.count(whole)} tokens reused, {words.count(known[1])} again"
    )
    return f"<g><title>{escape(told)}</title>{''.join(drawn)}</g>"


def _axis(highest: int, tall: int) -> str:
    lines = []
    for part in (0.0, 0.5, 1.0):
        y = _TOP + tall - tall * part
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = words.short(round(highest * part))
        lines.append(f'<text class="tick end" x="{_LEFT - 6}" y="{y + 4:.1f}">{label}</text>')
    return "".join(lines)


def _rect(name: str, x: float, y: float, wide: float, tall: float, title: str) -> str:
    if wide <= 0 or tall <= 0:
        return ""
    inner = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}">{inner}</rect>'


def _svg(wide: int, tall: int, title: str, drawn: Sequence[str], name: str = "chart") -> str:
    return (
        f'<svg class="{name}" viewBox="0 0 {wide} {tall}" role="img" aria-label="{escape(title)}">'
        f"{''.join(drawn)}</svg>"
    )
