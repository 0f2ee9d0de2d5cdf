"""Whether a server has been started anew, told from its own counters: which questions show it.

A server that still runs has counted at least what it has answered. llama.cpp numbers its tasks, and `/slots` shows the
latest one of each slot: after a new start they begin at 0, and after a sleep the slots have had none (seen on
xllamacpp 2026.10). `/metrics` counts prompt tokens (llama.cpp with `--metrics`, SGLang with `--enable-metrics`, vLLM
always), and vLLM's says when the process was started. None of these questions takes a slot or runs the model. What
others send to the server makes its counters greater: then a new start may stay unseen, and none is made up. A balancer
with several servers behind it could make one up, so nobody is asked where several machines are known to answer.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream.api import Outgoing
from keepwarm.upstream.token_ids import Questions

_SAMPLE: Final = re.compile(
    rb"^([a-z_]+:prompt_tokens_total|process_start_time_seconds)(?:\{[^\n]*\})? ([0-9.eE+]+)", re.M
)
_START: Final = b"process_start_time_seconds"


class Tally(msgspec.Struct, frozen=True):
    """What a server must have counted if it is the one that has answered until now."""

    requests: int
    """Answered requests."""
    tokens: int
    """Prompt tokens that it said it had processed for these."""
    at: float
    """Unix seconds when the request came that the doubtful one goes on from; 0 when that is not known."""
    slots: tuple[int, ...] = ()
    """Slots in which it has answered one."""
    slot: int | None = None
    """Where the doubtful one was answered; None where the server chose."""


class _Slot(msgspec.Struct, frozen=True):
    id: int
    id_task: int | None = None


def has_started_anew(kind: str, tally: Tally, headers: tuple[tuple[str, str], ...]) -> Questions[bool]:
    """Ask a server of this kind; False where nothing shows it."""
    if kind == "llamacpp":
        status, body = yield Outgoing("/slots", b"", headers, "GET")
        if status == 200 and _by_slots(body, tally):
            return True
    status, body = yield Outgoing("/metrics", b"", headers, "GET")
    return status == 200 and _by_metrics(body, tally)


def _by_slots(body: bytes, tally: Tally) -> bool:
    try:
        slots = msgspec.json.decode(body, type=list[_Slot])
    except UNREADABLE:
        return False
    tasks = {slot.id: slot.id_task for slot in slots if slot.id_task is not None and slot.id_task >= 0}
    if not tasks or (tally.slot is not None and tally.slot not in tasks):  # it does not number the tasks of the past
        return False
    emptied = any(slot.id in tally.slots and slot.id not in tasks for slot in slots)
    return emptied or max(tasks.values()) + 1 < tally.requests


def _by_metrics(body: bytes, tally: Tally) -> bool:
    started, processed, told = 0.0, 0.0, False
    for name, value in _SAMPLE.findall(body):
        try:
            number = float(value)
        except ValueError:
            continue
        if name == _START:
            started = max(started, number)
        else:  # one line for each model or engine
            processed, told = processed + number, True
    return 0 < tally.at < started or (told and processed < tally.tokens)
