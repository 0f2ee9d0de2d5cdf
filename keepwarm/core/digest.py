"""Digests: *wire* (the client's bytes) and *identity* (what the model reads), and chains of them.

Identity leaves out what no chat template shows: `cache_control`, the key order of an envelope, a string
against a list with one text block, empty text blocks. Two requests whose identities agree up to a place
read the same to the model up to that place, however their bytes differ. A chain digest stands for a whole
prefix: chain(n) = H(chain(n-1), identity(n)).

XXH3 with 128 bits (xxHash 0.8): 400 KB in about 0.01 ms. It is not cryptographic, so a digest is only ever
compared inside one client's conversation, never across callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import xxhash

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
)

wire: Final[Callable[[bytes | memoryview], bytes]] = xxhash.xxh3_128_digest
"""16 bytes for the client's bytes. The function itself: it is called for each message of each request."""


def chain(before: bytes, identity: bytes) -> bytes:
    """16 bytes for a prefix that goes on with `identity`."""
    return xxhash.xxh3_128_digest(before + identity)


def of_text(*parts: str) -> bytes:
    """16 bytes for a row of texts."""
    return xxhash.xxh3_128_digest(_row([part.encode("utf-8", "surrogatepass") for part in parts]))


def of_message(message: Message) -> bytes:
    """The identity of a message: its role and its blocks, without thinking (see `of_block`)."""
    parts = [message.role.encode("utf-8", "surrogatepass")]
    parts += [part for block in message.blocks if (part := of_block(block))]
    return xxhash.xxh3_128_digest(_row(parts))


def of_block(block: Block) -> bytes:
    """The identity of a block; b"" for one that says nothing.

    Thinking says nothing here: clients drop, empty and shorten it between turns while the turn stays the
    same turn, and what the server generated is remembered by the turn.
    """
    match block:
        case Thinking():
            return b""
        case Text(text):
            return b"t" + text.encode("utf-8", "surrogatepass") if text else b""
        case ToolUse(id, name, arguments):
            return b"u" + of_text(id, name, arguments)
        case ToolResult(id, content, is_error):
            inner = [identity for part in content if (identity := of_block(part))]
            return b"r" + of_text(id, "!" if is_error else "") + xxhash.xxh3_128_digest(_row(inner))
        case Media(kind, media_type, data, is_url):
            return b"m" + of_text(kind, media_type, data, "url" if is_url else "")
        case ToolReference(name):
            return b"n" + of_text(name)
        case Opaque(kind, raw):
            return b"o" + of_text(kind) + of_json(raw)


def of_system(block: SystemBlock) -> bytes:
    """The identity of a system block: its words."""
    return of_text(block.text)


def of_tool(tool: Tool) -> bytes:
    """The identity of a tool: name, description and schema, whatever the schema's key order."""
    return of_text(tool.name, tool.description) + of_json(tool.schema)


def of_json(raw: bytes) -> bytes:
    """16 bytes for a JSON text whatever its white space and key order, `cache_control` left out at the top.

    A text that cannot be read (a number out of range, a model's arguments that were cut off) stands for its bytes.
    """
    if not raw:
        return b""
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:
        return xxhash.xxh3_128_digest(raw)
    if isinstance(value, dict):
        value.pop("cache_control", None)
    return xxhash.xxh3_128_digest(msgspec.json.encode(value, order="sorted"))


def of_loose_json(raw: bytes) -> bytes:
    """As `of_json`, and 5000.0 is 5000: clients in JavaScript know one kind of number."""
    try:
        value = msgspec.json.decode(raw)
    except UNREADABLE:
        return xxhash.xxh3_128_digest(raw)
    return xxhash.xxh3_128_digest(msgspec.json.encode(_loosened(value), order="sorted"))


def of_all(identities: Iterable[bytes]) -> bytes:
    """16 bytes for a row of identities."""
    return xxhash.xxh3_128_digest(b"".join(identities))


def _row(parts: Iterable[bytes]) -> bytes:
    """Parts in a row, each behind its length: no text that holds a separator can pass for two."""
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def _loosened(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _loosened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_loosened(inner) for inner in value]
    return value
