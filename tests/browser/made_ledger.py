"""A made-up ledger: as many sessions as wanted, with turns, sub-agents, side calls and breaks that have causes.

    write(path, sessions=1000)

Every name and number is made from the seed. The one at the end is long: it is what screenshots show.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Record, Recording, Seat, Verdict
from keepwarm.ledger.store import Ledger

CLIENTS = ("claude-cli/2.1.114", "claude-cli/2.1.328", "opencode/1.18.33", "qwen-code/0.24.4", "pi/0.73.1")
MODELS = ("heron-coder-32b", "egret-8b")
SERVER = "http://127.0.0.1:8080"
HEAD = 18_200
"""Tokens of the system prompt and the tools."""


RECORDED = (12, 13)
"""Turns of the latest sessions whose texts are recorded: the one before a break and the one that breaks."""
KEPT = {"VOL001": 12, "VOL004": 2_310, "SEA001": 0}
"""Tokens that are left after a break; a third after any other."""


class Break(msgspec.Struct, frozen=True):
    """A way in which a conversation loses its cache."""

    code: str
    blame: str
    path: str
    what: str
    before: str
    after: str
    sentence: str


BREAKS = (
    Break(
        "VOL001", "client", "/system/0/text", "system[0]", "xxxx_xxxxxxx=0.0.000.x00", "xxxx_xxxxxxx=0.0.000.x77",
        "The client changed a billing line at the head of the system prompt, so the rest was processed again.",
    ),
    Break(
        "VOL004", "client", "/system/2/text", "system[2]", "Xxxxxx: xxxx, 0 xxxxx", "Xxxxxx: xxxx, 0 xxxxx xxx",
        "The git status in the system prompt is another one than in the request before.",
    ),
    Break(
        "HIS005", "client", "/messages/6/content/0", "the result of Read in messages[6]", "xxxxxxx(xxxx): xxxx 0 xx 00",
        "[xxx xxxx xxxxxx xxxxxxx xxxxxxx]",
        "The client edited an earlier message: an old tool result was taken away.",
    ),
    Break(
        "SEA001", "seat", "", "", "", "", "Another conversation had taken the slot, and the server had nothing left.",
    ),
)  # fmt: skip


def write(path: Path, sessions: int, *, now: float, seed: int = 7) -> int:
    """Write so many sessions that end at `now` (Unix seconds) into a new ledger; how many requests they have."""
    ledger = Ledger(path, server=SERVER)
    number = 0
    try:
        for record in records(sessions, now, seed):
            number += 1
            recorded = record.kind == "main" and record.turn in RECORDED and record.at > now - 3600
            while not ledger.put(record, recording(record) if recorded else None):
                ledger.flush()
    finally:
        ledger.close()
    return number


def records(sessions: int, now: float, seed: int = 7) -> Iterator[Record]:
    """Their requests, oldest first within each session."""
    dice = random.Random(seed)
    for number in range(sessions):
        left = sessions - 1 - number
        turns = 38 if left == 0 else dice.randint(3, 14)
        start = now - left * 240 - turns * 38 - dice.random() * 60
        yield from _session(dice, start, turns, long=left == 0)


def recording(record: Record) -> Recording:
    """Texts that such a turn may have had; another git status stands in the system prompt of the second one."""
    status = "2 files changed" if record.turn == RECORDED[0] else "3 files changed, 1 untracked"
    system = (
        "You are a coding agent that looks after a heron rookery. Read before you write, and test what you change. "
        * 40
        + f"\n# Environment\nWorking directory: ~/rookery\nGit status: branch main, {status}\nPlatform: linux\n"
    )
    tools = [
        {"name": f"Tool{number}", "description": "Counts birds. " * 150, "input_schema": {}} for number in range(14)
    ]
    texts = [json.dumps({"type": "text", "text": system}), ",".join(json.dumps(tool) for tool in tools)]
    for turn in range(1, record.turn + 1):
        texts.append(json.dumps({"role": "user", "content": f"Nest {turn}: " + "count the eggs. " * (40 + turn * 5)}))
        if turn < record.turn:
            texts.append(json.dumps({"role": "assistant", "content": f"Nest {turn} has {turn % 4} eggs. " * 20}))
    segments = tuple((hashlib.blake2b(text.encode(), digest_size=16).digest(), text.encode()) for text in texts)
    return Recording(record.id, segments, segments)


def _session(dice: random.Random, start: float, turns: int, *, long: bool) -> Iterator[Record]:
    session = f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4000-8000-{dice.getrandbits(48):012x}"
    client = CLIENTS[0] if long else dice.choice(CLIENTS)
    model = MODELS[0] if long else dice.choice(MODELS)
    silent = not long and dice.random() < 0.08
    common = {"session": session, "client": client, "model": model}
    yield _turn(
        dice, common | {"kind": "side", "lineage": f"{session[:8]}51de"}, start - 1, 1, 310, 0, None, silent=silent
    )
    breaks = {5: BREAKS[0], 13: BREAKS[1], 22: BREAKS[2], 31: BREAKS[3]} if long else {}
    main = common | {"kind": "main", "lineage": f"{session[:8]}0a11"}
    prompt, parent, before = 0, "", ""
    for turn in range(1, turns + 1):
        had, prompt = prompt, (prompt or HEAD) + dice.randint(120, 1_900)
        at = start + turn * 38 + dice.random() * 9
        broken = breaks.get(turn) or (dice.choice(BREAKS) if not long and turn > 1 and dice.random() < 0.07 else None)
        fork = long and turn == 27
        record = _turn(dice, main, at, turn, prompt, had, broken, parent=before if fork else parent, silent=silent)
        yield record
        before, parent = parent, record.id
        if long and turn in (9, 18):
            yield from _helper(dice, common, at + 3, 6 if turn == 9 else 4, f"{session[:8]}ab{turn:02d}")


def _helper(dice: random.Random, common: dict[str, str], start: float, turns: int, lineage: str) -> Iterator[Record]:
    """A sub-agent's conversation."""
    prompt, parent = 0, ""
    own = common | {"kind": "subagent", "agent": "explore", "lineage": lineage}
    for turn in range(1, turns + 1):
        had, prompt = prompt, (prompt or 6_400) + dice.randint(300, 1_500)
        record = _turn(dice, own, start + turn * 4, turn, prompt, had, None, parent=parent)
        yield record
        parent = record.id


def _turn(
    dice: random.Random, who: dict[str, str], at: float, turn: int, prompt: int, had: int, broken: Break | None,
    *, parent: str = "", silent: bool = False,
) -> Record:  # fmt: skip
    cached = had if broken is None else min(had, KEPT.get(broken.code, had // 3))
    processed, written = prompt - cached, dice.randint(24, 420)
    rate = dice.uniform(820, 1_180)
    output_ms = written / dice.uniform(31, 44) * 1000
    prompt_ms = processed / rate * 1000
    first = prompt_ms + dice.uniform(30, 70)
    usage = Usage(prompt, None if silent else cached, written, None if silent else prompt_ms, output_ms)
    return Record(
        id=f"{dice.getrandbits(96):024x}",
        at=at,
        front="anthropic" if who["client"].startswith("claude") else "chat",
        agent=who.get("agent", ""),
        parent=parent,
        turn=turn,
        upstream="llamacpp",
        stream=True,
        status=200,
        ending="done",
        edits=_edits(who, turn),
        usage=usage,
        verdict=_verdict(had, cached, turn, broken, silent, rate),
        seat=Seat({"main": 0, "subagent": 1}.get(who["kind"], 3), "its own slot since turn 1", SERVER),
        received_bytes=prompt * 4,
        sent_bytes=prompt * 4 - 210,
        answered_bytes=written * 9,
        overhead_ms=dice.uniform(0.8, 2.4),
        first_byte_ms=2.1,
        first_token_ms=first,
        total_ms=first + output_ms,
        client=who["client"],
        session=who["session"],
        kind=who["kind"],
        lineage=who["lineage"],
        model=who["model"],
    )


def _edits(who: dict[str, str], turn: int) -> tuple[EditNote, ...]:
    if who["client"] != CLIENTS[0] or who["kind"] == "side":
        return ()
    moved = EditNote(
        "HIS001", "/messages/2/content/1", "order", 182, 182, "a reminder stays where it was read", True, 1
    )
    return (
        EditNote("VOL001", "/system/0", "exact", 94, 0, "the billing line left the prompt"),
        *([moved] if turn > 2 else []),
    )


def _verdict(had: int, cached: int, turn: int, broken: Break | None, silent: bool, rate: float) -> Verdict:
    if silent:
        return Verdict("unknown", "nobody", "unknown", sentence="The server reports no cached tokens.")
    if not had:
        return Verdict(
            "first", "nobody", "counted", expected=0, actual=0, sentence="First request of its conversation."
        )
    if broken is None:
        said = f"All {had:,} tokens that could be reused were reused."
        return Verdict("hit", "nobody", "counted", expected=had, actual=cached, sentence=said, had=had)
    place = Place(broken.path, 41, broken.what, broken.before, broken.after, broken.code) if broken.path else None
    return Verdict(
        "miss" if cached < 100 else "partial",
        "seat" if broken.blame == "seat" else "client",
        "exact",
        expected=had if broken.blame == "seat" else cached,
        actual=cached,
        lost=had - cached,
        causes=(broken.code,),
        place=place,
        sentence=broken.sentence,
        had=had,
        lost_ms=(had - cached) / rate * 1000,
        places=(place,) if place else (),
    )
