"""A gateway over a made ledger, and its places in the dashboard."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from tests.browser import made_ledger
from tests.browser.conftest import OpenGateway, OpenStub

SESSIONS = 24


class Made(msgspec.Struct, frozen=True):
    """What stands in the ledger."""

    url: str
    ledger: Path
    session: str
    """The long session, the newest one."""
    records: tuple[Record, ...]
    """Its requests, oldest first."""
    silent: Record
    """A request whose server reported no cached tokens."""

    def broken(self, code: str) -> Record:
        """The turn of the long session that broke for this cause."""
        return next(record for record in self.records if record.verdict and code in record.verdict.causes)


async def made(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub) -> Made:
    """A gateway whose ledger has some sessions; nothing answers behind it that matters."""
    ledger = tmp_path / "ledger.sqlite"
    made_ledger.write(ledger, SESSIONS, now=time.time())
    with Query(ledger) as query:
        session = query.sessions(limit=1).sessions[0].name
        records = query.page(limit=200, session=session).records
        silent = next(one for one in query.page(limit=1000).records if one.usage.cached_tokens is None)
    gateway = await open_gateway((await open_stub()).url)
    return Made(gateway.url, ledger, session, records[::-1], silent)
