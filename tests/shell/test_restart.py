"""keepwarm is started anew in the middle of a conversation: what was sent stands, and nothing is processed again."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.query import Query
from keepwarm.ledger.seal import key_file
from keepwarm.testing.answers import Answer
from keepwarm.testing.scripted import ScriptedServer
from tests.shell.asking import post
from tests.shell.test_serve import serve
from tests.testing.conftest import EngineFor

Json = dict[str, Any]
TOOLS = [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object", "properties": {"command": {}}}}]
SAID = "Count the pelicans in the harbour. "
ANSWERS = [
    Answer(f"I look at pelican {number}.", f"Pelican {number} must be near.", (("Bash", f'{{"b": {number}, "a": 1}}'),))
    for number in range(4)
]


def script(fields: Json) -> Answer:
    """The answer to a request, by how many there have been."""
    said = [message["role"] for message in fields["messages"]]
    return ANSWERS[said.count("assistant")] if "alpha" in str(fields["messages"][:2]) else Answer("Done.")


class Client:
    """An agent that drops reasoning, writes calls anew, moves a reminder, and whose date changes."""

    def __init__(self) -> None:
        self.messages: list[Json] = [{"role": "user", "content": [{"type": "text", "text": "alpha " + SAID * 20}]}]

    def request(self, day: int) -> bytes:
        """What it sends on this day: the reminder stands in the newest message only."""
        reminder = {"type": "text", "text": f"<system-reminder>\nDay {day} of the heron watch.\n</system-reminder>"}
        *old, newest = self.messages
        messages = [*old, {**newest, "content": [*newest["content"], reminder]}]
        system = "You are an agent.\n" + "Be careful with birds. " * 40 + f"\nToday's date: 2026-10-{day:02d}"
        body = {"model": "m", "max_tokens": 64, "system": system, "tools": TOOLS, "messages": messages}
        return json.dumps(body).encode()

    def hear(self, said: Json) -> None:
        """Take an answer in."""
        content = [block for block in said["content"] if block["type"] != "thinking"]
        for block in content:
            if block["type"] == "tool_use":
                block["input"] = dict(sorted(block["input"].items()))
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "A pelican flew by. " * 10}
            for block in content
            if block["type"] == "tool_use"
        ]
        self.messages += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_the_other_half_of_a_conversation_in_a_new_process(
    end: signal.Signals, engine_for: EngineFor, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    engine = engine_for(slots=2)
    async with ScriptedServer(engine.url, script) as server:
        client = Client()
        stranger = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a stranger"}]})
        for half in range(2):
            async with serve(tmp_path, "--upstream", server.url) as gateway:
                url = await gateway.url()
                if half:  # somebody else comes first, and takes nobody's slot
                    await post(http, url, stranger.encode())
                for _ in range(2):
                    status, said = await post(http, url, client.request(1 + half), **{"x-claude-code-session-id": "s1"})
                    assert status == 200, said
                    client.hear(said)
                with Query(tmp_path / "ledger.sqlite") as query:
                    for _ in range(200):
                        if query.totals().requests >= (2, 5)[half]:
                            break
                        await asyncio.sleep(0.05)
                gateway.process.send_signal(end)
                await gateway.end()
        mine = [exchange for exchange in server.exchanges if b"alpha" in exchange.body]
    assert len(mine) == 4
    for before, now in itertools.pairwise(mine):
        old, new = (json.loads(exchange.body) for exchange in (before, now))
        assert old["tools"] == new["tools"]
        assert common_prefix(old["messages"], new["messages"]) == len(old["messages"])
        assert now.cached_tokens >= before.prompt_tokens - 1, "nothing is prefilled again"
    with Query(tmp_path / "ledger.sqlite") as query:
        records = [record for record in query.page(limit=10).records if record.session == "s1"]
    assert [record.turn for record in records] == [4, 3, 2, 1]
    assert records[1].verdict is not None
    assert (records[1].verdict.outcome, records[1].parent) == ("hit", records[2].id)
    assert len({record.seat.slot for record in records if record.seat is not None}) == 1
    nothing_is_told(tmp_path / "ledger.sqlite")


def nothing_is_told(path: Path) -> None:
    """No word of the conversation is in the ledger's files, nor the key."""
    files = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(f"{path.name}"))
    key = key_file(path).read_bytes()
    files = files.replace(key, b"", 1) if files.count(key) == 1 else files
    with sqlite3.connect(path) as connection:
        rows = [row for (row,) in connection.execute("SELECT sealed FROM standing")]
    connection.close()
    assert len(rows) >= 9
    for word in (b"pelican", b"heron", b"Be careful", b"harbour", b"\x28\xb5\x2f\xfd", key):
        assert word not in (files if word != b"\x28\xb5\x2f\xfd" else b"".join(row[12:40] for row in rows))
