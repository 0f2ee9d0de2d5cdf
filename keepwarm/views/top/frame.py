"""The whole picture as plain lines: what `--once` prints, and what is said where there is nothing to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from keepwarm.views.alerts import Alert
from keepwarm.views.top.head import Gateway, head
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.lines import request_heading, request_line, session_heading, session_line, why
from keepwarm.views.top.picture import Picture

KEYS: Final = (
    "Enter verdict  d diff  n next loss  Tab other list  f only this session  / filter  w period  ? help  q quit"
)
_SHORT_KEYS: Final = "Enter verdict  d diff  n next loss  Tab list  f only  / filter  ? help  q quit"
HELP: Final = """keepwarm top: what the prefix cache does, as it happens

  up down      another line (also k j, Page Up, Page Down, Home, End)
  Tab          to the sessions, or to the requests
  Enter        of a request: the verdict, as keepwarm explain tells it
               of a session: only its requests, with its agents
  d            the diff at the break: the first words that are not the same
  n            the next request that lost something
  f            only the session of this line; again: all of them
  /            sessions whose name, client or model contains a word
  w            another period: 1 h, 24 h, 7 days, all
  Esc          back; takes a filter off
  q            end

In a bar: {reused} reused, {again} again (it had been processed before), {new} new.
hit    share of the prompts that was reused   ags    its conversations
1st    time to the first token                tok/s  speed of the answer
-      not reported by the server             0*     a slot that works now
Alerts: a session's hit rate under 80, 60 or 40 %, and a cause that is new.
Figures come from the ledger, with or without a gateway; slots and what runs
come from the gateway (--gateway URL), while one answers."""


def keys(paper: Paper) -> Text:
    """The last line: what the keys do."""
    return paper.line((KEYS if paper.width >= len(KEYS) else _SHORT_KEYS, "dim"))


def help_text(paper: Paper) -> str:
    """The page behind `?`."""
    signs = ("#", "x", ".") if paper.ascii_only else ("█", "▒", "░")
    return HELP.format(reused=signs[0], again=signs[1], new=signs[2])


def empty(picture: Picture, gateway: Gateway, paper: Paper) -> list[Text]:
    """What to do when there is nothing to see."""
    if picture.trouble:
        steps: tuple[tuple[str, str], ...] = (
            (picture.trouble, "yellow"),
            ("", ""),
            ("1. start the gateway:       keepwarm serve   (or: keepwarm serve --engine demo)", ""),
            ("2. start an agent on it:    keepwarm run claude   (or the line serve prints)", ""),
            ("3. this screen fills by itself; another ledger is shown with --ledger FILE", ""),
        )
        if gateway.live is not None:
            steps = (
                (picture.trouble, "yellow"),
                ("", ""),
                ("the gateway runs: start an agent on it, with  keepwarm run claude  or", ""),
                (f"ANTHROPIC_BASE_URL={gateway.url} ANTHROPIC_API_KEY=dummy claude", ""),
                ("and this screen fills by itself", ""),
            )
        return [line for said, style in steps for line in _wrapped(said, style, paper)]
    if picture.words or picture.session:
        return [paper.line(("no session fits the filter: Esc takes it off, w looks at a longer period", "yellow"))]
    return []


def frame(
    picture: Picture, gateway: Gateway, alerts: Sequence[Alert], paper: Paper, height: int = 40, ledger: str = ""
) -> list[Text]:
    """Everything on one page: the head, the sessions, the newest requests and the last verdict in words."""
    lines = head(picture, gateway, alerts, paper, height, ledger)
    if not picture.rows:
        return [*lines, paper.line(""), *empty(picture, gateway, paper)]
    lines += [paper.line(""), session_heading(paper)]
    indent = "  "
    rows = picture.rows[: max(3, height // 3)]
    lines += [Text(indent).append_text(session_line(row, paper)) for row in rows]
    if (more := picture.more + len(picture.rows) - len(rows)) > 0:
        lines.append(paper.line((f"  and {more} more", "dim")))
    lines += [paper.line(""), request_heading(paper)]
    shown = picture.records[: max(3, height - len(lines) - 2)]
    lines += [Text(indent).append_text(request_line(record, paper)) for record in shown]
    broken = next((one for one in picture.records if one.verdict is not None and one.verdict.lost), None)
    return [*lines, paper.line(""), why(broken or next(iter(picture.records), None), paper)]


def _wrapped(said: str, style: str, paper: Paper) -> list[Text]:
    """A sentence in as many lines as it needs."""
    lines, line = [], ""
    for word in said.split(" "):
        if line and len(line) + 1 + len(word) > paper.width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [paper.line((one, style)) for one in (*lines, line)]
