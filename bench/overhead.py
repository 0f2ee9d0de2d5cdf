"""What keepwarm costs in front of a server that answers at once, beside a bare relay and beside no gateway at all.

    python -m bench.overhead [--quick] [--speech llamacpp|anthropic|both]

Conversations of about the size in question are played through keepwarm from their first request on, untimed; then
their next turns go to each of the three in turns, round after round, the same bodies to all. Every server is a process
of its own. Times are taken at the client; read the ratios, for the machine is seldom idle. Prints Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

import uvloop

from bench import servers
from bench.conversations import HEAD_BYTES, Conversation
from bench.load import Sample, play, turns
from bench.replies import Speech
from bench.servers import Server

PATHS: Final[dict[Speech, str]] = {"llamacpp": "/v1/chat/completions", "anthropic": "/v1/messages"}


class Load(NamedTuple):
    """How requests come."""

    concurrent: int
    """So many at once."""
    pause: float = 0.0
    """Seconds from an answer to the next request on its connection."""

    @property
    def words(self) -> str:
        """As the table says it."""
        return f"{self.concurrent}, {self.pause * 1000:.0f} ms apart" if self.pause else str(self.concurrent)


LOADS: Final = (Load(1), Load(1, 0.005), Load(16))
"""Back to back, what is done behind an answer delays the next request; an agent runs a tool in between."""


class Size(NamedTuple):
    """How one body size is measured."""

    body: int
    """Bytes of a body, about."""
    conversations: int
    turns: int
    """Turns that each conversation takes in a round, for each load."""
    rounds: int

    @property
    def growth(self) -> int:
        """Bytes that one turn adds, about: small bodies have few turns, large ones a hundred."""
        return max(2_600, (self.body - HEAD_BYTES) // 100)


FULL: Final = (Size(64_000, 48, 2, 3), Size(400_000, 24, 2, 5), Size(1_000_000, 16, 2, 4))
QUICK: Final = (Size(64_000, 6, 1, 1), Size(150_000, 6, 1, 1))


class Cell:
    """What was seen of one server at one size and concurrency."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.seconds = 0.0
        self.cpu = 0.0

    def quantile(self, field: int, share: float) -> float:
        """Milliseconds that `share` of the requests stayed below."""
        values = sorted(sample[field] for sample in self.samples)
        return values[min(len(values) - 1, int(share * len(values)))]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.samples) / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of processor time that the server took for a request."""
        return self.cpu * 1000.0 / len(self.samples)


Table = dict[tuple[int, Load, str], Cell]
"""By (size, load, server)."""


async def measure(speech: Speech, sizes: Sequence[Size], servers_: Sequence[tuple[Server, str]]) -> Table:
    """Play every size to every server; a server comes with the path that it is asked on, keepwarm last."""
    table: Table = {}
    for size in sizes:
        conversations = [
            Conversation(f"{speech} {size.body} {n}", size.growth - 1_100, speech) for n in range(size.conversations)
        ]
        spread = len(LOADS) * size.turns * size.rounds * size.growth // 2
        await _live(conversations, size.body - spread, *servers_[-1])
        for round_ in range(size.rounds):
            for load in LOADS:
                rows = turns(conversations, size.turns)
                for at in range(len(servers_)):
                    server, path = servers_[(round_ + at) % len(servers_)]
                    cell = table.setdefault((size.body, load, server.name), Cell())
                    before = server.cpu_seconds()
                    played = await play(server.port, path, rows, load.concurrent, load.pause)
                    cell.cpu += server.cpu_seconds() - before
                    cell.samples += played.samples
                    cell.seconds += played.seconds
    return table


async def _live(conversations: Sequence[Conversation], until: int, server: Server, path: str) -> None:
    """Let keepwarm see the conversations grow: each request from the first to the size that is measured."""
    first = [[(conversation.session, conversation.body())] for conversation in conversations]
    await play(server.port, path, first, 16)
    while growing := [conversation for conversation in conversations if conversation.size < until]:
        await play(server.port, path, turns(growing, 4), 16)


def rows(table: Table) -> Iterator[list[str]]:
    """The lines of the table, with each gateway's ratio to the bare relay."""
    for (size, load, name), cell in sorted(table.items(), key=lambda item: (item[0][0], item[0][1])):
        bare = table[size, load, "relay"]
        yield [
            f"{size // 1000} KB",
            load.words,
            name,
            f"{cell.quantile(0, 0.5):.2f} / {cell.quantile(0, 0.99):.2f}",
            f"{cell.quantile(1, 0.5):.2f} / {cell.quantile(1, 0.99):.2f}",
            "" if load.pause else f"{cell.rate:.0f}",
            f"{cell.cpu_ms:.2f}",
            f"{cell.quantile(0, 0.5) / bare.quantile(0, 0.5):.2f}",
            "" if load.pause else f"{cell.rate / bare.rate:.2f}",
        ]


HEADINGS: Final = (
    "body", "at once", "server", "first byte p50 / p99, ms", "whole p50 / p99, ms", "requests/s", "CPU ms/request",
    "first byte, x relay", "requests/s, x relay",
)  # fmt: skip


def markdown(headings: Sequence[str], lines: Iterator[list[str]]) -> str:
    """A Markdown table."""
    made = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join([*made, *("| " + " | ".join(line) + " |" for line in lines)])


def run(speech: Speech, sizes: Sequence[Size], say: Callable[[str], None]) -> Table:
    """Start the servers, measure, print the table."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stub = stack.enter_context(servers.stub(speech))
        bare = stack.enter_context(servers.relay(stub.url))
        gateway = stack.enter_context(servers.keepwarm(stub.url, folder))
        stub.name = "direct"
        path = PATHS[speech]
        table = uvloop.run(measure(speech, sizes, [(stub, path), (bare, path), (gateway, "/v1/messages")]))
    say(f"\n## {'Chat dialect of llama.cpp' if speech == 'llamacpp' else 'Byte path (the server speaks Anthropic)'}\n")
    say(markdown(HEADINGS, rows(table)))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it runs")
    parser.add_argument("--speech", choices=(*get_args(Speech), "both"), default="both")
    given = parser.parse_args(arguments)
    for speech in get_args(Speech):
        if given.speech in (speech, "both"):
            run(speech, QUICK if given.quick else FULL, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
