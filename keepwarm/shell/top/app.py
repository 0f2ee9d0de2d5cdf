"""`keepwarm top` on a terminal: the lists, the keys, and the two feeds that keep them new."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, Final

from msgspec.structs import replace
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from keepwarm.ledger.records import Record
from keepwarm.shell.top.feed import GatewayFeed, LedgerFeed
from keepwarm.shell.top.rows import Rows
from keepwarm.shell.top.screens import Filter, Page
from keepwarm.views.alerts import Alert
from keepwarm.views.top import frame, lines
from keepwarm.views.top.head import Gateway, head
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.pages import diff_page, verdict_page
from keepwarm.views.top.picture import PERIODS, Asked, Picture, Row

POLL_SECONDS: Final = 0.5
SESSIONS_SHARE: Final = 0.35
"""Of the screen, for the sessions at the most."""
ALERTS: Final = 20
"""Alerts that are remembered."""


class Top(App[None]):
    """The program.

    ledger      what is shown
    gateway     what is listened to; None for nothing
    ascii_only  the terminal is not UTF-8
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #head { height: auto; }
    #sessions { height: 4; margin-top: 1; }
    #requests { height: 1fr; min-height: 3; margin-top: 1; }
    #empty { height: 1fr; display: none; margin: 1 0; }
    #why, #foot { height: 1; }
    Page { background: $background; }
    Page VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 0; }
    Filter { align: left bottom; background: transparent; }
    Filter Static, Filter Input { width: 100%; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit"),
        Binding("question_mark", "help"),
        Binding("d", "diff"),
        Binding("v", "verdict"),
        Binding("n", "next"),
        Binding("f", "only"),
        Binding("slash", "filter"),
        Binding("w", "period"),
        Binding("escape", "unfilter"),
    ]

    def __init__(self, ledger: LedgerFeed, gateway: GatewayFeed | None, *, ascii_only: bool = False) -> None:
        super().__init__(ansi_color=True)  # the terminal's own colours, light or dark
        self._ledger = ledger
        self._listening = gateway
        self._ascii = ascii_only
        self._asked = Asked()
        self._picture = Picture(0.0)
        self._gateway = Gateway(gateway.url if gateway is not None else "")
        self._told: deque[Alert] = deque(maxlen=ALERTS)
        self._rows: dict[str, Row] = {}
        self._records: dict[str, Record] = {}
        self._head, self._empty, self._why, self._foot = (
            Static(id=name, markup=False) for name in ("head", "empty", "why", "foot")
        )
        self._sessions = Rows(self._session_heading, self._session_line, ascii_only=ascii_only, name="sessions")
        self._requests = Rows(lines.request_heading, self._request_line, ascii_only=ascii_only, name="requests")
        self._list = self._requests
        """The one that has, or had, the cursor."""

    def compose(self) -> ComposeResult:
        """The screen, from top to bottom."""
        yield from (self._head, self._empty, self._sessions, self._requests, self._why, self._foot)

    def on_mount(self) -> None:
        """Begin to read and to listen."""
        self.theme = "ansi-dark"
        self._requests.focus()
        self.run_worker(self._look(), exclusive=True, group="look")
        self.set_interval(POLL_SECONDS, self._look_again)
        if self._listening is not None:
            self.run_worker(self._listen(self._listening), group="listen")

    async def on_unmount(self) -> None:
        """Close the ledger."""
        await self._ledger.close()

    def on_resize(self) -> None:
        """Make everything that has a width again."""
        if self._picture.at:
            self._show()

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """The words under the lists are those of the line of the cursor."""
        if message.rows.has_focus:
            self._list = message.rows
        self._show_why()

    def on_rows_chosen(self, message: Rows.Chosen) -> None:
        """Enter: a request's verdict, or a session's requests."""
        if message.rows.id == "requests":
            self._open(message.key, "v")
            return
        row = self._rows[message.key]
        if row.below and row.last is not None:
            self._open(row.last.id, "v")
            return
        self._ask(Asked(self._asked.period, row.name, "", self._asked.rows))
        self._requests.focus()

    def action_help(self) -> None:
        """What the keys do and what is shown."""
        self.push_screen(Page(lambda paper: Text(frame.help_text(paper)), ascii_only=self._ascii))

    def action_verdict(self) -> None:
        """The verdict of the request of the cursor."""
        if (record := self._current()) is not None:
            self._open(record.id, "v")

    def action_diff(self) -> None:
        """Where the request of the cursor parts from the one before it."""
        if (record := self._current()) is not None:
            self._open(record.id, "d")

    def action_next(self) -> None:
        """To the next request that lost something."""
        self._requests.focus()
        self._requests.seek(lambda key: bool((verdict := self._records[key].verdict) and verdict.lost))

    def action_only(self) -> None:
        """Only the session of the cursor, or all of them again."""
        if self._asked.session:
            self._ask(Asked(self._asked.period, "", self._asked.words, self._asked.rows))
            return
        record, key = self._current(), self._sessions.current
        name = record.session or record.lineage if record is not None else ""
        if self._list is self._sessions and key is not None:
            name = self._rows[key].name
        if name:
            self._ask(Asked(self._asked.period, name, self._asked.words, self._asked.rows))

    def action_filter(self) -> None:
        """Ask for a word."""

        def take(said: str | None) -> None:
            if said is not None:
                self._ask(Asked(self._asked.period, "", said, self._asked.rows))

        self.push_screen(Filter(self._asked.words), take)

    def action_period(self) -> None:
        """The next period."""
        period = (self._picture.period + 1) % len(PERIODS)
        self._ask(Asked(period, self._asked.session, self._asked.words, self._asked.rows))

    def action_unfilter(self) -> None:
        """Take the filters off."""
        if self._asked.session or self._asked.words:
            self._ask(Asked(self._asked.period, rows=self._asked.rows))

    async def _listen(self, gateway: GatewayFeed) -> None:
        async for said in gateway.follow():
            self._gateway = said
            if self._picture.at:
                self._show_head()

    def _look_again(self) -> None:
        self.run_worker(self._look(), exclusive=False, group="look")

    async def _look(self) -> None:
        """Read, and show what is new."""
        read = await self._ledger.picture(self._asked)
        if read is None:
            self._picture = replace(self._picture, at=self._ledger.clock())
            self._show_head()
            return
        self._picture, told = read
        self._told.extend(told)
        self._show()

    def _ask(self, asked: Asked) -> None:
        self._asked = asked
        self._look_again()

    def _open(self, record_id: str, page: str) -> None:
        self.run_worker(self._read_and_open(record_id, page), exclusive=True, group="open")

    async def _read_and_open(self, record_id: str, page: str) -> None:
        detail = await self._ledger.detail(record_id)
        if detail is None:
            return
        make = diff_page if page == "d" else verdict_page

        def turn(to: str | None) -> None:
            if to is not None:
                self._open(record_id, to)

        self.push_screen(Page(lambda paper: make(detail, paper), ascii_only=self._ascii, turns="dv"), turn)

    def _current(self) -> Record | None:
        """The request that the cursor is on: in the upper list the last one of the session."""
        key = self._list.current
        if key is None:
            return None
        return self._rows[key].last if self._list is self._sessions else self._records.get(key)

    def _show(self) -> None:
        picture = self._picture
        self._rows = {f"{number} {row.name}" if row.below else row.name: row for number, row in enumerate(picture.rows)}
        self._records = {record.id: record for record in picture.records}
        self._sessions.show(tuple(self._rows))
        self._sessions.styles.height = max(3, min(len(self._rows) + 1, round(self.size.height * SESSIONS_SHARE)))
        self._requests.show(tuple(self._records))
        paper = self._paper()
        self._foot.update(frame.keys(paper))
        self._show_head()
        self._show_why()

    def _show_head(self) -> None:
        paper, picture = self._paper(), self._picture
        made = head(picture, self._gateway, self._alerts(), paper, self.size.height, str(self._ledger.path))
        self._head.update(Text("\n").join(made))
        nothing = frame.empty(picture, self._gateway, paper) if not picture.rows else []
        self._empty.update(Text("\n").join(nothing))
        self._empty.display = bool(nothing)
        self._sessions.display = self._requests.display = not nothing

    def _alerts(self) -> tuple[Alert, ...]:
        """Newest first: what this program has seen itself, and what the gateway tells."""
        live = self._gateway.live
        every = {alert.words: alert for alert in (*(live.alerts if live is not None else ()), *self._told)}
        return tuple(sorted(every.values(), key=lambda alert: -alert.at))

    def _show_why(self) -> None:
        self._why.update(lines.why(self._current(), self._paper()))

    def _session_heading(self, paper: Paper) -> Text:
        return lines.session_heading(paper, self._picture.more)

    def _session_line(self, key: str, paper: Paper) -> Text:
        return lines.session_line(self._rows[key], paper)

    def _request_line(self, key: str, paper: Paper) -> Text:
        return lines.request_line(self._records[key], paper)

    def _paper(self) -> Paper:
        return Paper(self.size.width, self._ascii)
