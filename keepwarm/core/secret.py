"""What only those know who know how a conversation begins: what stands of it is kept under this secret.

A client sends its whole conversation with each request, so it shows the secret each time, and nobody has to keep it. It
is made of what the first turn says loosely (see `sketch`): a client whose reminders have moved or gone since says the
same. BLAKE2b, since the digests of `core.digest` are quick and can be turned back.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from keepwarm.core.prompt import Block, Message, Text
from keepwarm.core.reminder import without
from keepwarm.core.sketch import loose_of, marks_of

SECRET_BYTES: Final = 32
_PERSON: Final = b"keepwarm/secret"


class Address(msgspec.Struct, frozen=True):
    """Where a conversation is kept."""

    secret: bytes
    owner: bytes
    """Who speaks: the same first turn may begin several conversations."""


class Row(msgspec.Struct, frozen=True):
    """A part of a conversation as it is kept: written anew, it takes the place of the one with its name."""

    name: bytes
    value: bytes


class Parcel(msgspec.Struct, frozen=True):
    """What stands of a conversation and was not kept before."""

    address: Address
    conversation: str
    """The id of its lineage."""
    rows: tuple[Row, ...] = ()
    gone: tuple[bytes, ...] = ()
    """Names of rows that are no longer needed."""
    also: bytes = b""
    """Another secret by which it shall be found, where its first turn was edited; b"" for none."""


def secret_of(messages: Iterable[Message], *about: bytes) -> bytes:
    """32 bytes for a first turn; `about` is what must be equal besides: who asks, and in which shape.

    Two turns that `sketch.loose_turn` takes for one have one secret.
    """
    said: list[bytes] = []
    results: list[bytes] = []
    for message in messages:
        words: list[bytes] = []
        if message.role != "system":
            words = [part for block in message.blocks if (part := _words(message.role, block))]
            results += loose_of(message.role, marks_of(message)).results
        if words or message.role == "assistant":
            said.append(_row((message.role.encode("utf-8", "surrogatepass"), *words)))
    whole = _row((*about, b"", *sorted(results), b"", *said))
    return blake2b(whole, digest_size=SECRET_BYTES, person=_PERSON).digest()


def _words(role: str, block: Block) -> bytes:
    """What a block says loosely, in full for words; b"" for nothing, and for a tool result, which counts by itself."""
    if isinstance(block, Text):
        rest = block.text if role == "assistant" else without(block.text)
        return b"t" + " ".join(rest.split()).encode("utf-8", "surrogatepass") if rest.strip() else b""
    return loose_of("user", marks_of(Message("user", (block,), 0))).words


def _row(parts: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])
