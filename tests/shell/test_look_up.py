"""Looking for what is kept, beside the loop: what cannot be read is counted, told of once, and nothing breaks."""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path

import aiohttp
import pytest

from keepwarm.core.secret import Address, Parcel, Row
from keepwarm.ledger.archive import Limits
from keepwarm.ledger.store import Ledger
from keepwarm.shell.look_up import LookUp
from tests.ledger.samples import a_record
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import message_body


async def test_rows_that_are_none_are_let_go_and_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", limits=Limits())
    for number in range(2):
        address = Address(b"%d" % number * 32, b"owner")
        ledger.put(a_record(id=f"r{number}", at=time.time()), None, Parcel(address, "lineage", (Row(b"a", b"\xc1"),)))
    ledger.flush()
    look_up = LookUp(ledger)
    with caplog.at_level(logging.WARNING, "keepwarm"):
        for number in range(2):
            assert await look_up.fetch(Address(b"%d" % number * 32, b"owner"), False) == ()
    assert [record.message[:45] for record in caplog.records] == ["what stood of a conversation cannot be read ("]
    assert ledger.dropped == 2
    look_up.close()
    ledger.close()


async def test_a_damaged_conversation_begins_anew(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    stub = await open_stub()
    first = await open_gateway(stub.url)
    assert (await post(http, first.url, message_body()))[0] == 200
    await first.stop()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        assert connection.execute("UPDATE standing SET sealed = zeroblob(60)").rowcount == 3
    connection.close()
    second = await open_gateway(stub.url)
    assert (await post(http, second.url, message_body()))[0] == 200
    assert second.ledger is not None
    second.ledger.flush()
    assert second.ledger.dropped == 1
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM standing WHERE sealed != zeroblob(60)").fetchone() == (3,)
    connection.close()
