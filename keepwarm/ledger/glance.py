"""A session at a glance, for a status line, from the sums that the file keeps (`tallies`) as every view has them.

It imports SQLite and nothing else, not even pathlib: a status line is drawn again with every turn and must not wait for
the rest of the program.
"""

from __future__ import annotations

import os
import sqlite3

_NAME = "ledger.sqlite"
PATIENCE_SECONDS = 0.02
"""How long a status line waits for a writer."""


class Glance:
    """A session at a glance. A plain class: to import `typing` for a tuple takes longer than to read the ledger."""

    __slots__ = ("cached_tokens", "cause", "lost_tokens", "prompt_tokens", "requests", "since")

    def __init__(
        self, requests: int, prompt_tokens: int, cached_tokens: int, lost_tokens: int, cause: str, since: int
    ) -> None:
        self.requests = requests
        self.prompt_tokens = prompt_tokens
        """Of the requests whose server reports what it reused."""
        self.cached_tokens = cached_tokens
        self.lost_tokens = lost_tokens
        self.cause = cause
        """The rule of the newest request that lost something; "" when none did, or no rule knows it."""
        self.since = since
        """Requests since that one."""


def default_path() -> str:
    """Where the ledger is when nobody says otherwise: in the user's data folder (XDG_DATA_HOME)."""
    return os.path.join(os.path.expanduser(os.environ.get("XDG_DATA_HOME") or "~/.local/share"), "keepwarm", _NAME)


def glance(path: str, session: str) -> Glance | None:
    """A session of the ledger at `path`; None when there is no ledger, or nothing of that session in it.

    session  its whole name; "" for the one that asked last. Raises sqlite3.Error for what cannot be read.
    """
    if not os.path.isfile(path):
        return None
    # No wait for the disk, no lock: a line that comes late is worse than one that lags by a request.
    place = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=PATIENCE_SECONDS)
    try:
        if not session:
            newest = connection.execute("SELECT session FROM requests ORDER BY seq DESC LIMIT 1").fetchone()
            session = newest[0] if newest else ""
        names = ("requests", "cached_tokens", "processed_tokens", "lost_tokens")
        columns = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
        sums = connection.execute(f"SELECT {columns} FROM lineages WHERE session = ?", (session,)).fetchone()
        if not sums[0]:
            return None
        lossy = "SELECT seq, cause FROM requests WHERE session = ? AND lost > 0 ORDER BY seq DESC LIMIT 1"
        seq, cause = connection.execute(lossy, (session,)).fetchone() or (None, "")
        after = "SELECT count(*) FROM requests WHERE session = ? AND seq > ?"
        since = 0 if seq is None else connection.execute(after, (session, seq)).fetchone()[0]
        requests, cached, processed, lost = sums
        return Glance(requests, cached + processed, cached, lost, cause or "", since)
    finally:
        connection.close()
