"""An older request as it went upstream, made again from what stands: no second body is kept for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from keepwarm.codec.splice import members
from keepwarm.core.prompt import SystemBlock
from keepwarm.session.lineage import Sent
from keepwarm.upstream.api import Dialect, Draft, Outgoing

OTHER = b'{"role":"user","content":"~"}'
"""A message in both protocols, with which no conversation begins."""
_encode = msgspec.json.encode


def past(dialect: Dialect, now: Draft, sent: Sent) -> Outgoing | None:
    """The request `sent`; None where a part of it is not there any more.

    now  a newer one to the same server: what a client of the server's own protocol says beside its prompt is taken
         from it
    """
    steps = sent.trail.steps
    if not dialect.same_protocol:
        return _translated(dialect, now, sent, tuple([step.turn.chunk for step in steps]))
    rows = [step.turn.chunk or step.turn.raw for step in steps]
    if not all(rows):
        return None
    return _as_it_is(dialect, now, sent, [row for row in rows if row.strip()])


def past_opening(dialect: Dialect, now: Draft, sent: Sent) -> Outgoing:
    """The same request with nothing behind its first turn."""
    turn = next((step.turn for step in sent.trail.steps if step.turn.key), None)
    words = (turn.chunk or turn.raw) if turn is not None else OTHER
    if not dialect.same_protocol:
        return _translated(dialect, now, sent, (words,))
    return _as_it_is(dialect, now, sent, [words])


def past_head(dialect: Dialect, now: Draft, sent: Sent) -> Outgoing:
    """The same request with one foreign message in the place of its own: it shares its head and no more."""
    if not dialect.same_protocol:
        return _translated(dialect, now, sent, (OTHER,))
    return _as_it_is(dialect, now, sent, [OTHER])


def _translated(dialect: Dialect, now: Draft, sent: Sent, chunks: tuple[bytes, ...]) -> Outgoing:
    head = sent.head
    draft = replace(now, body=b"", options=sent.options, chunks=chunks, slot=None)
    return dialect.request(replace(draft, system=head.system, tools=head.tools, late=head.late))


def _as_it_is(dialect: Dialect, now: Draft, sent: Sent, rows: list[bytes]) -> Outgoing:
    """In a body of the client's protocol, of which no part is to be changed again."""
    said = {name: now.body[start:end] for name, (start, end) in members(now.body).items()}
    head = sent.head
    listed_tools = sorted(head.head.tools, key=lambda tool: tool.index)
    said_itself = b"[" + b",".join(tool.raw for tool in listed_tools) + b"]" if listed_tools else b""
    # Where some are late, the client's own list went, and the other was for the template to print.
    tools = said_itself if head.late else head.tools or said_itself
    system = head.system or b",".join(_system(head.head.system))
    if dialect.protocol == "anthropic":
        listed = not head.system and bool(head.head.system) and head.head.system[0].index >= 0
        said["system"] = b"[" + system + b"]" if listed else system
    else:
        rows = [*([system] if system.strip() else []), *rows]
    said |= {"tools": tools, "messages": b"[" + b",".join(rows) + b"]", "model": _encode(sent.options.model)}
    body = b"{" + b",".join(_encode(name) + b":" + value for name, value in said.items() if value.strip()) + b"}"
    count = tuple(pairwise(range(len(rows) + 1)))
    # Late tools are offered and not printed: that is said beside the body's own words.
    plain = replace(now, body=body, system=b"", tools=head.tools if head.late else b"", late=head.late, slot=None)
    return dialect.request(replace(plain, chunks=(b"",) * len(rows), ranges=count, lengths=(), leading=0))


def _system(blocks: tuple[SystemBlock, ...]) -> Iterator[bytes]:
    """Each block's own text, that of a message which holds several of them once."""
    seen = set()
    for block in blocks:
        message = "/".join(block.pointer.split("/")[:3]) if block.pointer else str(block.index)
        if message not in seen:
            seen.add(message)
            yield block.raw
