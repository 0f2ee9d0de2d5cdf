"""The plot of `keepwarm verify` as one SVG file: a point a round and arm, and the server's memory below.

Written by hand, since two panels of points and lines need no library. Colours tell no more than positions and words do.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap
from typing import Final

from keepwarm.checks.memory import gib
from keepwarm.checks.trial import ARMS, Trial, by_round, conclude, spread

_WIDTH: Final = 760
_LEFT: Final = 170
_RIGHT: Final = 130
_ROW: Final = 34
_TOP: Final = 56
_MEMORY: Final = 130
_LINE: Final = 18
_LETTERS: Final = 120
"""Letters of a line at the foot."""
_COLOURS: Final = ("#b3261e", "#1f6f43", "#8a5a00", "#1d4f91")
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.small{font-size:11px;fill:#555}.axis{stroke:#999;stroke-width:1}"
    "@media(prefers-color-scheme:dark){svg{background:#181818}text{fill:#eee}.small{fill:#bbb}}"
)


def svg(trial: Trial) -> str:
    """The whole file."""
    bottom = _TOP + _ROW * len(ARMS)
    said = [line for one in conclude(trial) for line in wrap(one.why, _LETTERS)]
    height = bottom + 60 + (_MEMORY + 60 if trial.memory else 0) + _LINE * len(said)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'aria-label="keepwarm verify: the wait of later requests, by arm">'
        ),
        f"<style>{_STYLE}</style>",
        _text(16, 24, f"Wait of a later request, to the first token: {trial.server}"),
        *_waits(trial, bottom),
    ]
    below = bottom + 60
    if trial.memory:
        parts += _memory(trial, below)
        below += _MEMORY + 60
    parts += [_text(16, below + _LINE * number, line, small=True) for number, line in enumerate(said)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _waits(trial: Trial, bottom: int) -> list[str]:
    values = [by_round(trial.later(arm)) for arm in ARMS]
    most = max((max(row) for row in values if row), default=0.0) or 1.0
    room = _WIDTH - _LEFT - _RIGHT
    parts: list[str] = []
    for number, (arm, row) in enumerate(zip(ARMS, values, strict=True)):
        middle = _TOP + _ROW * number + _ROW // 2
        parts.append(_text(16, middle + 4, arm.name))
        if not row:
            continue
        of = spread(row)
        at = _LEFT + room * of.median / most
        parts.append(_line(_LEFT + room * of.low / most, middle, _LEFT + room * of.high / most, middle))
        parts.append(f'<rect x="{at - 1.5:.1f}" y="{middle - 10}" width="3" height="20" fill="{_COLOURS[number]}"/>')
        parts += [
            f'<circle cx="{_LEFT + room * value / most:.1f}" cy="{middle}" r="5" fill="{_COLOURS[number]}" '
            f'fill-opacity="0.6"><title>{value:.3f} s</title></circle>'
            for value in row
        ]
        parts.append(_text(_WIDTH - _RIGHT + 14, middle + 4, f"{of.median:.2f} s", small=True))
    parts.append(_line(_LEFT, bottom + 4, _WIDTH - _RIGHT, bottom + 4))
    parts.append(_text(_LEFT, bottom + 20, "0 s", small=True))
    parts.append(_text(_WIDTH - _RIGHT - 40, bottom + 20, f"{most:.2f} s", small=True))
    return parts


def _memory(trial: Trial, top: int) -> list[str]:
    """The memory over time, with a band for each arm's session."""
    end = max(max(one.at for one in trial.memory), max((one.ended for one in trial.spans), default=0.0)) or 1.0
    low, high = min(one.used for one in trial.memory), max(one.used for one in trial.memory)
    room, reach = _WIDTH - _LEFT - _RIGHT, max(1, high - low)
    parts = [_text(16, top - 8, f"Memory: {trial.memory_of}")]
    for span in trial.spans:
        x, width = _LEFT + room * span.began / end, room * (span.ended - span.began) / end
        title = escape(f"round {span.round}: {span.arm.name}")
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_MEMORY}" '
            f'fill="{_COLOURS[ARMS.index(span.arm)]}" fill-opacity="0.12"><title>{title}</title></rect>'
        )
    points = " ".join(
        f"{_LEFT + room * one.at / end:.1f},{top + _MEMORY - (_MEMORY - 10) * (one.used - low) / reach:.1f}"
        for one in trial.memory
    )
    parts.append(f'<polyline points="{points}" fill="none" stroke="#666" stroke-width="1.5"/>')
    parts.append(_text(16, top + 14, gib(high), small=True))
    parts.append(_text(16, top + _MEMORY, gib(low), small=True))
    parts.append(_text(_WIDTH - _RIGHT - 40, top + _MEMORY + 16, f"{end:.0f} s", small=True))
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="axis" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, *, small: bool = False) -> str:
    kind = ' class="small"' if small else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{kind}>{escape(words)}</text>'
