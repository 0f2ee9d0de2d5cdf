"""What a model's cache can give back when a prompt parts from what is in it. Pure.

A KV cache of every token can be cut at any token. A sliding-window layer keeps the last tokens only, a recurrent
layer (Mamba, RWKV, gated delta net, short convolution) nothing but the state of the last one: there a server can go
back only to a state that it has put aside (llama.cpp's context checkpoints), or to the beginning. llama-server says
in none of its answers which kind its model is (/props, /slots and /v1/models of xllamacpp 2026.10 were looked
through), but /props names the file, and a file on the same machine says it in its first fields.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from keepwarm.codec.gguf_fields import Value, fields

Memory: TypeAlias = Literal["", "full", "swa", "hybrid", "recurrent"]
"""`full` can be cut anywhere; `swa` only as far back as its window; `hybrid` and `recurrent` nowhere; "" is unknown."""

_RECURRENT = ("ssm", "wkv", "shortconv")
_WINDOW_UNUSED = frozenset(("phi3", "phimoe"))
"""llama.cpp reads their window and does not use it ("Phi SWA is currently disabled")."""
_CHUNKED = frozenset(("llama4",))
"""Attention in chunks, which llama.cpp keeps like a window; the file has no field for it."""


def memory_of(beginning: bytes) -> Memory:
    """The kind of a GGUF file's memory from its first bytes (`gguf_fields.ENOUGH`); "" when they do not say."""
    said = fields(beginning)
    name = said.get("general.architecture")
    if not isinstance(name, str) or f"{name}.block_count" not in said:
        return ""
    attends = _any(said.get(f"{name}.attention.head_count_kv"))
    if any(field.startswith(f"{name}.{part}.") for field in said for part in _RECURRENT):
        return "hybrid" if attends else "recurrent"
    window = _any(said.get(f"{name}.attention.sliding_window"))
    if (window and name not in _WINDOW_UNUSED) or name in _CHUNKED:
        return "swa"
    return "full"


def _any(value: Value | None) -> bool:
    """Whether a number, or one of a row of numbers (one for each layer), is not 0."""
    return any(map(bool, value)) if isinstance(value, list) else bool(value)
