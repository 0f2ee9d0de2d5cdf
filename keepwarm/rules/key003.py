"""
## What it does
Holds all callers of a model to the options with which an Ollama server loaded it: `num_ctx` and the other options of
the runner, `shift`, `keep_alive`.

## Why it costs you
Ollama loads a model anew when one of these is another than it was loaded with, and unloads it after the `keep_alive`
of the latest request. Two agents that ask for other context sizes throw each other's cache away with each request, and
wait for the model besides.

## Example
    agent: {"options": {"num_ctx": 32768}}   title call: {"options": {"num_ctx": 4096}}   load_duration 8 s, each time

## What goes upstream instead
The value that the first caller of the model asked for, also where a request leaves one out that another has named. A
larger `num_ctx` is respected and holds from then on: with a smaller one than it asks for a caller's prompt would be
cut. Only requests that carry `options`, `keep_alive` or `shift` are touched.

## When it is wrong to apply
When a caller means its `keep_alive: 0`, to free the memory at once.

## Source
ollama/ollama `server/sched.go` (`needsReload` compares the runner's options and `shift`; `useLoadedRunner` takes the
latest `keep_alive`), ollama/ollama#16639, Aider-AI/aider#4687.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keepwarm.core.prompt import Edit
from keepwarm.rules.api import Fix, Rule, Safety

OPTIONS: Final = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
"""Those of `options` that the runner is started with."""
POINTERS: Final = ("/keep_alive", "/shift", *(f"/options/{name}" for name in OPTIONS))
_GROWS: Final = "/options/num_ctx"


def settle(said: Mapping[str, str], held: Mapping[str, str]) -> Fix[dict[str, str]]:
    """What a request says with what holds for its model; unchanged where it says nothing of the kind.

    said  JSON texts by pointer, of POINTERS
    held  the same for the model, as the callers before have settled it
    """
    if not said:
        return Fix(dict(said))
    value = dict(said)
    edits: list[Edit] = []
    for pointer in POINTERS:
        wanted, standing = said.get(pointer), held.get(pointer)
        if standing is None or wanted == standing or (pointer == _GROWS and _is_more(wanted, standing)):
            continue
        value[pointer] = standing
        edits.append(Edit("KEY003", pointer, wanted or "", standing, "as the model was loaded"))
    return Fix(value, tuple(edits))


def hold(held: Mapping[str, str], sent: Mapping[str, str]) -> dict[str, str]:
    """What holds for the model once a request with these values was sent."""
    return {**held, **sent}


def _is_more(wanted: str | None, standing: str) -> bool:
    return wanted is not None and wanted.isdecimal() and (not standing.isdecimal() or int(wanted) > int(standing))


RULE: Final = Rule("KEY003", "reload-options", Safety.EXACT, __doc__ or "", beside="the options a model is loaded with")
