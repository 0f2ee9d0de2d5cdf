"""Which of the server's own reasons explains that it reused less than it could: SRV001 to SRV007. Pure.

The verdict calls this once it knows that the prompt was kept and the seat was kept or handed over in order. What
tells the reasons apart, all of it measured on xllamacpp 2026.10 (`tests/engines`):

    SRV006  no count at all. vLLM and SGLang count only when they are told to; Ollama and LM Studio never do.
    SRV007  the count is always 0, also for a prompt that is sent twice.
    SRV004  the server has started anew, or woken from its sleep: see `Server.newborn`.
    SRV003  the prompt before, or its answer, came to the end of the context. llama.cpp then either stops or shifts: it
            drops the older half of what follows its head, and its slot holds a text that nobody sent. Ollama cuts
            every prompt to its context: it counts no more tokens although the conversation grew.
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
_CANNOT_GO_BACK: Final = frozenset(("swa", "hybrid", "recurrent"))
_MAY_REPORT: Final = frozenset(("vllm", "sglang"))


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the server."""

    memory: str = ""
    """`upstream.Traits.memory`: "full", "swa", "hybrid", "recurrent", or "" when nothing tells."""
    context: int | None = None
    """Tokens that one conversation can hold."""
    reported: bool = True
    """It has reported a count of cached tokens above 0 before, to whomever."""
    newborn: bool = False
    """It has started or loaded its model since the request before. Signs: a request in between could not connect;
    its count of processed tokens (`llamacpp:prompt_tokens_total`) is below what it was; its `/slots` name no task
    for slots that have had one; vLLM's `process_start_time_seconds` is later."""


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
    if server.newborn:
        return "SRV004"
    if _context_was_full(loss, server):
        return "SRV003"
    if not loss.seated or loss.before is None:
        return "SRV001"
    if loss.handed_over:
        kept_its_prompt = loss.actual >= loss.before - NEAR
        return "SRV002" if _answer_only(loss, server, kept_its_prompt) else "SRV005"
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
    return loss.appended and now is not None and now <= before


def _answer_only(loss: Loss, server: Server, kept_its_prompt: bool) -> bool:
    """Whether what is lost is what a sliding-window model loses on its way through the host cache."""
    return kept_its_prompt if server.memory in ("swa", "") else server.memory != "full" and not loss.appended
