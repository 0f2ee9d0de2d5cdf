"""Which of the server's own reasons explains that it reused less than it could: SRV001 to SRV007. Pure.

The verdict calls this once it knows that the prompt was kept and the seat was kept or handed over in order. What
tells the reasons apart, all of it measured on xllamacpp 2026.10 (`tests/engines`):

    SRV006  no count at all. vLLM and SGLang count only when they are told to; Ollama and LM Studio never do.
    SRV007  the count is always 0, also for a prompt that is sent twice.
    SRV004  the server has started anew, or woken from its sleep: see `Server.newborn` and `Server.restarted`.
    SRV003  the answer before came to the end of the context: llama.cpp either stops there or shifts, and then its slot
            holds a text that nobody sent. Or the prompt has fewer tokens than the one before although it only appends
            to it: the server has cut it, as Ollama does.
    SRV002  the slot was this conversation's all the time, and yet part of what was in it is gone: a sliding-window,
            hybrid or recurrent model cannot go back to where the prompts part. Also when a sliding-window model's slot
            was handed over and back: the host cache keeps the window alone, so the answer is lost, and without
            checkpoints everything is.
    SRV005  the slot was handed over and back, and the host cache did not have its content any more.
    SRV001  none of these can be seen.
"""

from __future__ import annotations

from typing import Final

import msgspec

NEAR: Final = 8
"""Tokens in front of a prompt's end where llama.cpp's last checkpoint stands (4, or 5 when it is taken from the host
cache), and a little more."""
WHY: Final = {
    "SRV001": "it had dropped the rest",
    "SRV002": "its model cannot go back to where the prompts part",
    "SRV003": "its context was full, and the prompt was cut",
    "SRV004": "it was started anew, or has loaded its model again",
    "SRV005": "the rest had been given up for other conversations",
    "SRV006": "it does not say what it reuses",
    "SRV007": "it has never reused anything: its cache may be switched off",
}
"""Each reason in words, to stand behind what the server reused."""
_CANNOT_GO_BACK: Final = frozenset(("swa", "hybrid", "recurrent"))


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the server."""

    memory: str = ""
    """`upstream.Traits.memory`: "full", "swa", "hybrid", "recurrent", or "" when nothing tells."""
    context: int | None = None
    """Tokens that one conversation can hold."""
    reported: bool = True
    """It has reported a count of cached tokens above 0 before, to whomever."""
    newborn: bool = False
    """It may have started or loaded its model since the request before: a request in between could not connect, or its
    connection broke."""
    restarted: bool = False
    """It has started or loaded its model since the request before, by its own counters: see `upstream.fresh_start`."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """One request that got less than it could."""

    actual: int | None
    """Tokens that the server says it reused."""
    prompt_tokens: int | None
    """Of this request, as the server counts."""
    before: int | None
    """Prompt tokens of the request that it goes on from."""
    answer: int | None
    """Tokens of the answer to that."""
    appended: bool
    """It only appends to that request: what it repeats is all of it."""
    seated: bool = False
    """The gateway chose the slot."""
    handed_over: bool = False
    """The slot was another conversation's in between."""


def server_cause(loss: Loss, server: Server) -> str:
    """The code of the rule that explains `loss`; SRV001 where nothing more can be seen."""
    if loss.actual is None:
        return "SRV006"
    if loss.actual == 0 and not server.reported:
        return "SRV007"
    if server.restarted or (server.newborn and loss.actual <= NEAR):
        return "SRV004"
    if _context_was_full(loss, server):
        return "SRV003"
    if not loss.seated or loss.before is None:
        return "SRV001"
    if loss.handed_over:
        if loss.actual >= loss.before - NEAR:
            # Its entry was found. Of a whole cache, and of a state, it holds the answer too; of a window it does not.
            return "SRV002" if server.memory == "swa" else "SRV001"
        return "SRV002" if server.memory in _CANNOT_GO_BACK and not loss.appended else "SRV005"
    if server.memory in _CANNOT_GO_BACK:
        return "SRV002"
    # With a cache that can be cut anywhere nothing gets lost in a slot; where the kind is not known, and the prompts
    # part, no other reason is known for it.
    return "SRV002" if server.memory == "" and not loss.appended else "SRV001"


def _context_was_full(loss: Loss, server: Server) -> bool:
    before, answer, now = loss.before, loss.answer or 0, loss.prompt_tokens
    if before is None:
        return False
    if server.context is not None and before + answer >= server.context:
        return True
    return loss.appended and now is not None and now < before
