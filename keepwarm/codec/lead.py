"""The leading part of a request that came before in the same bytes, and is not read again.

An agent sends its whole conversation in each request. To tell its messages apart costs a walk over all of it; to see
that all but the last of them are the bytes of the request before costs one comparison of memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from keepwarm.codec.pieces import Pieces
from keepwarm.codec.splice import elements, members
from keepwarm.errors import BadJson

LEAST_BYTES: Final = 32 * 1024
"""Of a shorter body the whole is read as quickly."""
UNSETTLED: Final = 4
"""Messages at the end of a request that are read again in the next one: clients move the marks of their cache."""

_NEXT: Final = re.compile(rb"[ \t\n\r]*(?:,[ \t\n\r]*|(?=\]))")


class Lead(msgspec.Struct, frozen=True):
    """How a request begins: all up to the end of a message."""

    text: bytes
    places: tuple[slice, ...]
    """Of each message in it."""
    wires: tuple[bytes, ...]
    """And the digest of each."""

    def cut(self, body: bytes) -> Cut | None:
        """What is left of `body` to be read; None where it does not begin with these messages."""
        if not body.startswith(self.text):
            return None
        found = _NEXT.match(body, len(self.text))
        return None if found is None else Cut(self, body[: self.places[0].start] + body[found.end() :])


class Cut(msgspec.Struct, frozen=True):
    """A body of which the leading messages are known."""

    lead: Lead
    rest: bytes
    """The body without them: to be read in its stead."""

    def pieces(self, body: bytes, raws: Sequence[msgspec.Raw]) -> Pieces | None:
        """All messages of the body, from those that were read in the rest of it.

        None where these do not stand behind the messages that are known: the member was there twice.
        """
        start = self.lead.places[0].start
        first = bytes(raws[0]) if raws else b"]"
        if not self.rest.startswith(first, start):
            return None
        return Pieces([*self.lead.places, *raws], body, self.lead.wires)


def lead_of(body: bytes, messages: Pieces, wires: Sequence[bytes], old: Lead | None = None) -> Lead | None:
    """What the next request is expected to begin with; None where that saves nothing.

    messages  all of the body's, as `old` gave them where there is one;  wires  the digest of each
    """
    count = len(messages) - UNSETTLED
    if len(body) < LEAST_BYTES or count < 1:
        return None
    try:
        if old is None:
            container = members(body)["messages"]
            places = tuple(slice(*span) for span in elements(body, container, messages.lengths())[:count])
        else:
            known = old.places[:count]
            places = _further(body, known, messages.behind(len(known)).lengths()[: count - len(known)])
    except (BadJson, KeyError):  # the same key twice: it is read as a whole each time
        return None
    return Lead(body[: places[-1].stop], places, tuple(wires[:count]))


def _further(body: bytes, places: tuple[slice, ...], sizes: Sequence[int]) -> tuple[slice, ...]:
    """The places of messages, of which the first are known, and of the others their sizes."""
    found = list(places)
    for size in sizes:
        gap = _NEXT.match(body, found[-1].stop)
        if gap is None:  # pragma: no cover - the body has been read
            raise BadJson("expected another message")
        found.append(slice(gap.end(), gap.end() + size))
    return tuple(found)
