"""A day with agents, made up: two sessions of Claude Code, one of Qwen Code that names none, a few faults.

For the tests of what shows many requests at once (`keepwarm top`, `keepwarm report`). Nothing is drawn by chance.
"""

from __future__ import annotations

from collections.abc import Iterator

from keepwarm.core.events import Usage
from keepwarm.ledger.records import Place, Record, Seat, Verdict
from tests.ledger.samples import a_record

NOON = 1_790_078_400.0
"""2026-09-22, 12:00 UTC."""
CLAUDE = "3fa81c22-0000-4000-8000-000000000001"
OTHER = "b7d2e9f1-0000-4000-8000-000000000002"
_HEADER = Place("/system/0/text", 57, "system[0]", "cch=xxxxx; cc_entrypoint", "cch=xxxxx; cc_entrypoint", "VOL001")
_EDITED = Place("/messages/4/content", 812, "messages[4] (user)", "xxx xxxxxx xx", "xxxx xx xxxxxx", "HIS005")


def a_day(until: float = NOON) -> list[Record]:
    """Its requests, oldest first; the last one came at `until`."""
    records = [
        *_turns("a", CLAUDE, "main", "aa01", 14, broken={5: "VOL001", 10: "HIS005"}, until=until),
        *_turns("b", CLAUDE, "subagent", "aa02", 5, agent="explore", until=until - 400, start=9_000),
        *_turns("c", OTHER, "main", "bb01", 9, broken={2: "SEA001", 4: "SEA001", 6: "SEA001"}, until=until - 60),
        *_turns("d", "", "main", "cc01", 4, client="qwen-code/0.24.4", until=until - 2_000, start=7_000),
        a_record(
            id="e1" + "0" * 22, at=until - 90, session=OTHER, kind="side", lineage="bb02", usage=Usage(334, 10, 12),
            verdict=Verdict("first", "nobody", "counted", 0, 10, sentence="The first request of its conversation."),
            model="qwen3-coder", seat=Seat(3, "side calls share it"), first_token_ms=516.0, upstream="llamacpp",
        ),
        a_record(
            id="e2" + "0" * 22, at=until - 30, session=OTHER, lineage="bb01", status=502, ending="failed",
            error="unreachable: connection refused", usage=Usage(), verdict=None, turn=10, first_token_ms=None,
            model="qwen3-coder", total_ms=4.0, upstream="llamacpp",
        ),
    ]  # fmt: skip
    return sorted(records, key=lambda record: record.at)


def _turns(
    letter: str,
    session: str,
    kind: str,
    lineage: str,
    count: int,
    *,
    until: float,
    broken: dict[int, str] | None = None,
    agent: str = "",
    client: str = "claude-cli/2.1.114",
    start: int = 18_000,
) -> Iterator[Record]:
    """One conversation: each turn reuses all that stood, except where something is broken."""
    stood, before = 0, ""
    for turn in range(1, count + 1):
        prompt = start + turn * 640
        code = (broken or {}).get(turn, "")
        cached, verdict = _judged(turn, stood, code)
        processed = prompt - cached
        name = f"{letter}{turn:x}" + "0" * 22
        yield a_record(
            id=name, at=until - (count - turn) * 120.0, client=client, session=session, agent=agent, kind=kind,
            lineage=lineage, parent=before, turn=turn, model="qwen3-coder", upstream="llamacpp",
            usage=Usage(prompt, cached, 40 + turn, processed * 0.8, (40 + turn) * 21.0), verdict=verdict,
            seat=Seat({"aa01": 0, "aa02": 1, "bb01": 2}.get(lineage, 3), "its own slot"),
            first_token_ms=processed * 0.8 + 60, total_ms=processed * 0.8 + 60 + (40 + turn) * 21.0,
        )  # fmt: skip
        stood, before = prompt + 40 + turn, name


def _judged(turn: int, stood: int, code: str) -> tuple[int, Verdict]:
    if turn == 1:
        said = "The first request of its conversation: nothing of it could be cached yet."
        return 0, Verdict("first", "nobody", "counted", 0, 0, sentence=said)
    if not code:
        said = f"The server reused {stood:,} tokens: all that it had of this conversation."
        return stood, Verdict("hit", "nobody", "counted", stood, stood, sentence=said, had=stood)
    cached = {"VOL001": 12, "HIS005": 14_200, "SEA001": 3_000}[code]
    lost = stood - cached
    place = {"VOL001": _HEADER, "HIS005": _EDITED}.get(code)
    said = {
        "VOL001": f"The client changed system[0] (VOL001): {lost:,} tokens behind it were processed again.",
        "HIS005": f"The client changed messages[4] (user) (HIS005): {lost:,} tokens behind it were processed again.",
        "SEA001": f"The prompt was kept for {stood:,} tokens and the server reused {cached:,}: a side call was there.",
    }[code]
    return cached, Verdict(
        "miss" if cached < 100 else "partial", "seat" if code == "SEA001" else "client", "counted", stood, cached, lost,
        (code,), place, said, had=stood, lost_ms=lost * 0.8, places=(place,) if place else (),
    )  # fmt: skip
