"""One conversation of 2,000 turns: what a turn costs keepwarm as the conversation grows, and what it remembers.

    python -m bench.growth [--turns 2000] [--speech llamacpp|anthropic]

The time is keepwarm's own, from the whole body received to the request ready to go, as its ledger has it; the
processor time is the whole process's. Memory is what the process holds more than before the first turn, against the
bytes that were ever said (each once). Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

import uvloop

from bench import servers
from bench.conversations import Conversation
from bench.load import play
from bench.overhead import markdown
from bench.replies import Speech
from bench.servers import Server
from keepwarm.ledger.query import Query

_RESULT_BYTES: Final = 1_500
_ROWS: Final = 10
HEADINGS: Final = (
    "turns", "body, KB", "bytes a turn", "own time p50 / p99, ms", "own time a KB of body, ms", "CPU ms/turn",
    "memory grown, KB", "x said",
)  # fmt: skip


class Stretch(NamedTuple):
    """Some turns in a row."""

    last: int
    """The number of its last turn."""
    turns: int
    body: int
    """Bytes of its last body."""
    said: int
    """Bytes that were ever said, up to its end."""
    grown: int
    """Bytes that its turns added."""
    cpu: float
    """Seconds of processor time."""
    memory: int
    """Bytes that the process holds at its end more than before the first turn."""


async def live(gateway: Server, conversation: Conversation, turns: int) -> list[Stretch]:
    """Play the conversation, each turn when the one before it is answered."""
    await play(gateway.port, "/v1/messages", [[("warm", Conversation("warm", 1000).body())]], 1)
    before, cpu, said = gateway.memory(), gateway.cpu_seconds(), conversation.size
    stretches: list[Stretch] = []
    grown = count = 0
    for turn in range(1, turns + 1):
        body = conversation.body()
        await play(gateway.port, "/v1/messages", [[(conversation.session, body)]], 1)
        count += 1
        if turn * _ROWS // turns > (turn - 1) * _ROWS // turns:
            now = gateway.cpu_seconds()
            memory = gateway.memory() - before
            stretches.append(Stretch(turn, count, len(body), said + grown, grown, now - cpu, memory))
            said, grown, count, cpu = said + grown, 0, 0, now
        grown += conversation.grow()
    return stretches


def own_times(ledger: Path, session: str) -> list[float]:
    """keepwarm's own milliseconds for each request of a session, oldest first."""
    with Query(ledger) as query:
        times: list[float] = []
        news = query.follow(0, session=session)
        while news.records:
            times += [record.overhead_ms or 0.0 for record in news.records]
            news = query.follow(news.seen, session=session)
        return times


def lines(stretches: Sequence[Stretch], times: Sequence[float]) -> list[list[str]]:
    """The rows of the table."""
    made = []
    for stretch in stretches:
        mine = sorted(times[stretch.last - stretch.turns : stretch.last])
        half, most = mine[len(mine) // 2], mine[min(len(mine) - 1, int(0.99 * len(mine)))]
        made.append(
            [
                str(stretch.last),
                f"{stretch.body / 1000:.0f}",
                f"{stretch.grown / stretch.turns:.0f}",
                f"{half:.2f} / {most:.2f}",
                f"{half * 1000 / stretch.body:.4f}",
                f"{stretch.cpu * 1000 / stretch.turns:.2f}",
                f"{stretch.memory / 1000:.0f}",
                f"{stretch.memory / stretch.said:.2f}",
            ]
        )
    return made


def run(speech: Speech, turns: int, say: Callable[[str], None]) -> list[Stretch]:
    """Start the servers, measure, print the table."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        conversation = Conversation("growth", _RESULT_BYTES, speech)
        stub = stack.enter_context(servers.stub(speech))
        with servers.keepwarm(stub.url, folder) as gateway:
            stretches = uvloop.run(live(gateway, conversation, turns))
        times = own_times(servers.ledger_of(folder), conversation.session)
        ledger = servers.ledger_of(folder).stat().st_size
    say(f"\n## A conversation of {turns} turns ({speech})\n")
    say(markdown(HEADINGS, iter(lines(stretches, times))))
    say(f"\nThe ledger's file has {ledger / 1000:.0f} KB, {ledger / turns / 1000:.1f} KB a turn.")
    return stretches


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--speech", choices=get_args(Speech), default="llamacpp")
    given = parser.parse_args(arguments)
    run(given.speech, given.turns, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
