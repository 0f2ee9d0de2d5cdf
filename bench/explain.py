"""How long `keepwarm explain`, and the questions of the live views, take with a ledger of a million requests.

    python -m bench.explain [--requests 1000000] [--ledger FILE]

The ledger is written in bulk, in the columns of a gateway's own; FILE is kept and used again. The questions alone are
timed in this process; the whole command with the start of its process, which is most of it. Prints Markdown.
"""

from __future__ import annotations

import argparse
import io
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, NamedTuple

from msgspec.structs import replace
from rich.console import Console

from bench.overhead import markdown
from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.query import Only, Query
from keepwarm.ledger.records import Place, Record, Seat, Verdict
from keepwarm.ledger.rows import COLUMNS, row_of
from keepwarm.ledger.store import Ledger
from keepwarm.views.explain import print_explain

TURNS: Final = 200
"""Requests of one conversation."""
LINEAGES: Final = 5
"""Conversations of one session."""
ROUNDS: Final = 9
_BATCH: Final = 20_000
_INSERT: Final = f"INSERT INTO requests ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
HEADINGS: Final = ("question", "ms, median", "ms, worst")


class Took(NamedTuple):
    """Milliseconds of one question, each time that it was asked."""

    what: str
    ms: Sequence[float]


def record(number: int) -> Record:
    """A request of a long life with agents: of each conversation's turns every tenth lost something."""
    lineage, turn = divmod(number, TURNS)
    lost = turn % 10 == 9
    place = Place("/messages/7/content", 57, "messages[7] (user)", "xxx 0", "xxx 1", "HIS005")
    reused = "The server reused 20,102 tokens."
    verdict = Verdict("hit", "nobody", "counted", 20_102, 20_102, had=20_102, sentence=reused)
    if lost:
        words = "The client changed messages[7] (user) (HIS005): 9,000 tokens behind it were processed again."
        figures = (11_102, 11_102, 9_000)
        verdict = Verdict("partial", "client", "exact", *figures, ("HIS005",), place, words, lost_ms=6_500.0)
        verdict = replace(verdict, had=20_102, places=(place,), shared=11_102)
    return Record(
        id=f"{number * 0x9E3779B97F4A7C15 % (1 << 96):024x}",
        at=1_790_000_000.0 + number,
        front="anthropic",
        client="claude-cli/2.1.328",
        session=f"{lineage // LINEAGES:08x}-0000-4000-8000-000000000001",
        agent="",
        kind="main",
        lineage=f"{lineage:032x}",
        parent=f"{(number - 1) * 0x9E3779B97F4A7C15 % (1 << 96):024x}" if turn else "",
        turn=turn + 1,
        upstream="llamacpp",
        model="local",
        stream=True,
        status=200,
        ending="done",
        edits=(EditNote("VOL001", "/system/0", "exact", 85, 0, "the billing header, lifted out", True),),
        metadata=(("cc_version", "2.1.328.c39"),),
        usage=Usage(20_431, 20_102, 40, 310.0, 900.0),
        verdict=verdict,
        seat=Seat(2, "its own slot"),
        received_bytes=90_000,
        sent_bytes=88_000,
        answered_bytes=1_200,
        overhead_ms=1.5,
        first_byte_ms=2.0,
        first_token_ms=330.0,
        total_ms=1_250.0,
    )


def build(path: Path, requests: int) -> None:
    """A ledger with so many requests, written as fast as SQLite takes them."""
    Ledger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, requests, _BATCH):
            connection.execute("BEGIN")
            connection.executemany(_INSERT, _rows(range(first, min(requests, first + _BATCH))))
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(numbers: Sequence[int]) -> Iterator[tuple[object, ...]]:
    for number in numbers:
        yield row_of(record(number))


def measure(path: Path, requests: int) -> list[Took]:
    """Each way to ask, in this process and as a command."""
    middle = record(requests // 2 // 10 * 10 + 9).id

    def asked(which: str, *, as_json: bool = False) -> Callable[[], None]:
        return lambda: print_explain(path, which, Console(file=io.StringIO(), width=100), as_json=as_json)

    def command(*arguments: str) -> Callable[[], None]:
        row = [sys.executable, "-m", "keepwarm.cli", *arguments]

        def start() -> None:
            subprocess.run(row, check=True, capture_output=True)

        return start

    last = record(requests - 1)

    def question(ask: Callable[[Query], object]) -> Callable[[], None]:
        def put() -> None:
            with Query(path) as query:
                ask(query)

        return put

    return [
        Took("totals of everything", _timed(question(lambda query: query.totals()))),
        Took("totals since a moment in an hour", _timed(question(lambda query: query.totals(last.at - 86_000.5)))),
        Took("totals of a session", _timed(question(lambda query: query.totals(session=last.session)))),
        Took("the newest 100 sessions", _timed(question(lambda query: query.sessions()))),
        Took("the conversations of a session", _timed(question(lambda query: query.conversations(last.session)))),
        Took("series, a day by hours", _timed(question(lambda query: query.series(last.at - 86_400, None, 3600)))),
        Took("series, an hour by minutes", _timed(question(lambda query: query.series(last.at - 3600, None, 60)))),
        Took("series, everything by days", _timed(question(lambda query: query.series(0, None, 86_400)))),
        Took("a page of one cause", _timed(question(lambda query: query.page(only=Only(cause="HIS005"))))),
        Took("explain last", _timed(asked("last"))),
        Took("explain ID", _timed(asked(middle))),
        Took("explain the beginning of an ID", _timed(asked(middle[:10]))),
        Took("explain ID --json", _timed(asked(middle, as_json=True))),
        Took("the whole command: keepwarm explain last", _timed(command("explain", "last", "--ledger", str(path)))),
        Took("the whole command: keepwarm explain ID", _timed(command("explain", middle, "--ledger", str(path)))),
        Took("for comparison, the start alone: keepwarm --version", _timed(command("--version"))),
    ]


def _timed(ask: Callable[[], None]) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        began = perf_counter()
        ask()
        found.append((perf_counter() - began) * 1000.0)
    return found


def table(rows: Sequence[Took]) -> str:
    """The figures."""
    return markdown(HEADINGS, ([one.what, f"{median(one.ms):.1f}", f"{max(one.ms):.1f}"] for one in rows))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--ledger", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.ledger or Path(folder) / "ledger.sqlite"
        if not path.exists():
            began = perf_counter()
            build(path, arguments.requests)
            print(f"{arguments.requests:,} requests written in {perf_counter() - began:.0f} s", flush=True)
        print(f"{path.stat().st_size / 1e6:,.0f} MB\n")
        print(table(measure(path, arguments.requests)))


if __name__ == "__main__":
    main()
