"""The demo's result for a person: the table, the turns one by one, and what the figures mean."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from keepwarm.testing.demo_play import DemoResult, SideResult, TurnCost

_BARS: Final = "▁▂▃▄▅▆▇█"
_MIB: Final = 1024 * 1024


def result_tables(result: DemoResult) -> RenderableType:
    """Everything the demo shows at its end."""
    return Group(turn_table(result), Text(), summary_table(result), Text(), Text(closing_line(result)))


def summary_table(result: DemoResult) -> Table:
    """One row a question, one column a side."""
    table = Table(title=f"The same coding session twice on {result.model}", title_justify="left")
    table.add_column("")
    table.add_column("straight to the engine", justify="right")
    table.add_column("through keepwarm", justify="right")
    sides = (result.straight, result.keepwarm)
    rows = (
        ("System prompt and tools processed", _head_times),
        ("Tokens prefilled per turn, first", lambda side: f"{_main(side)[0].prefilled_tokens:,}"),
        ("Tokens prefilled per turn, later (median)", lambda side: f"{_later(side, 'prefilled_tokens'):,.0f}"),
        ("  turn by turn", lambda side: sparkline(_prefilled(side), _most(result))),
        ("First token after, first turn", lambda side: f"{_main(side)[0].first_token_s:.2f} s"),
        ("First token after, later turns (median)", lambda side: f"{_later(side, 'first_token_s'):.2f} s"),
        ("Engine memory, before and after", _memory),
        ("Engine time for prompts", lambda side: f"{engine_seconds(side):.1f} s"),
        ("Tokens prefilled in all", lambda side: f"{prefilled_tokens(side):,}"),
        ("  times the append-only ideal", lambda side: f"{prefilled_tokens(side) / result.ideal_tokens:.2f}"),
    )
    for name, shown in rows:
        table.add_row(name, *(shown(side) for side in sides))
    return table


def turn_table(result: DemoResult) -> Table:
    """One row a request: what each side prefilled and how long its user waited."""
    table = Table(title="Turn by turn", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("who")
    table.add_column("prompt", justify="right")
    for side in ("straight", "keepwarm"):
        table.add_column(f"{side}\nprefilled", justify="right")
        table.add_column("\nfirst token", justify="right")
    names = {"main": "agent", "title": "title call", "agent": "sub-agent"}
    for plain, warm in zip(result.straight.turns, result.keepwarm.turns, strict=True):
        cells = [str(plain.number), names[plain.kind], f"{plain.prompt_tokens:,}"]
        for turn in (plain, warm):
            cells += [f"{turn.prefilled_tokens:,}", f"{turn.first_token_s:.2f} s"]
        table.add_row(*cells)
    return table


def closing_line(result: DemoResult) -> str:
    """The result in a sentence or two, with what was left out where something was."""
    straight, warm = prefilled_tokens(result.straight), prefilled_tokens(result.keepwarm)
    text = (
        f"keepwarm had the engine process {warm:,} tokens instead of {straight:,} ({straight / warm:.1f} times fewer). "
        f"With each token of a conversation processed once it would be {result.ideal_tokens:,}."
    )
    if result.compared < result.requests:
        text += (
            f" This machine was too slow to finish the straight side in time: the figures compare the first "
            f"{result.compared} of {result.requests} requests."
        )
    return text


def sparkline(values: Sequence[float], most: float) -> str:
    """A bar a value, the full height being `most`."""
    top = len(_BARS) - 1
    return "".join(_BARS[min(top, round(value / most * top))] if most else _BARS[0] for value in values)


def prefilled_tokens(side: SideResult) -> int:
    """Tokens the engine processed for this side's prompts, side calls and sub-agents included."""
    return sum(turn.prefilled_tokens for turn in side.turns)


def engine_seconds(side: SideResult) -> float:
    """Seconds the engine spent on them."""
    return sum(turn.prompt_ms for turn in side.turns) / 1000


def _main(side: SideResult) -> list[TurnCost]:
    return [turn for turn in side.turns if turn.kind == "main"]


def _later(side: SideResult, field: str) -> float:
    """The median of a field over the main conversation's turns but the first."""
    return median([float(getattr(turn, field)) for turn in _main(side)[1:]] or [0.0])


def _prefilled(side: SideResult) -> list[float]:
    return [float(turn.prefilled_tokens) for turn in _main(side)]


def _most(result: DemoResult) -> float:
    return max(_prefilled(result.straight) + _prefilled(result.keepwarm))


def _head_times(side: SideResult) -> str:
    turns = _main(side)
    times = sum(turn.head_again for turn in turns)
    return f"{'once' if times == 1 else f'{times} times'} in {len(turns)} turns"


def _memory(side: SideResult) -> str:
    text = f"{side.memory_before / _MIB:,.0f} → {side.memory_after / _MIB:,.0f} MiB"
    if side.memory_peak > side.memory_after + _MIB:
        text += f" (peak {side.memory_peak / _MIB:,.0f})"
    return text
