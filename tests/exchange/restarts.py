"""A gateway that is started anew between two requests: what stands goes by way of a ledger, which here is a dict."""

from __future__ import annotations

from keepwarm.core.secret import Parcel
from keepwarm.exchange.commands import Fetch, Write
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.session.archive import Conversation, unpack
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.testing.messages_shapes import MessagesShape
from tests.exchange.playbook import COUNTS, Json, Playbook, chat, fetched, keeper

Rows = dict[bytes, bytes]


class Shelf:
    """What `ledger.archive` does, without a disk and without a lock."""

    def __init__(self) -> None:
        self.kept: dict[tuple[bytes, bytes], dict[str, Rows]] = {}
        """Rows by the address and the id of their conversation."""
        self._doors: dict[tuple[bytes, bytes], bytes] = {}

    def put(self, parcel: Parcel) -> None:
        """Keep what is new."""
        address = parcel.address
        rows = self.kept.setdefault((address.secret, address.owner), {}).setdefault(parcel.conversation, {})
        for row in parcel.rows:
            rows.pop(row.name, None)
            rows[row.name] = row.value
        for name in parcel.gone:
            rows.pop(name, None)
        if parcel.also:
            self._doors[parcel.also, address.owner] = address.secret

    def fetch(self, fetch: Fetch) -> list[Conversation]:
        """What is kept at an address."""
        secret, owner = fetch.address.secret, fetch.address.owner
        secret = self._doors.get((secret, owner), secret)
        found = self.kept.get((secret, owner), {})
        if not found and fetch.others:
            found = next((rows for (other, _), rows in self.kept.items() if other == secret), {})
        read = [unpack(rows.values(), secret) for rows in found.values()]
        return [conversation for conversation in read if conversation is not None]

    def values(self) -> list[bytes]:
        """The rows of all conversations."""
        return [value for found in self.kept.values() for rows in found.values() for value in rows.values()]


def keeping(journal: Journal | None = None, kind: str = "llamacpp", *, slots: int = 0) -> Keeper:
    """A keeper whose lives keep what stands."""
    return keeper(kind, slots=slots, journal=journal, manner=Manner(archive=True))


def play(body: bytes, on: Keeper, shelf: Shelf, answer: Answer, *ids: str, headers: Json | None = None) -> Playbook:
    """A whole life in which the server answers at once, and what it hands over is kept."""
    said = messages(answer, *ids) if on.same_protocol("anthropic") else chat(answer, *ids)
    book = begin(body, on, shelf, headers=headers).answer_with(said)
    for command in book.commands:
        if isinstance(command, Write) and command.parcel is not None:
            shelf.put(command.parcel)
    return book


def messages(answer: Answer, *ids: str) -> bytes:
    """An answer as a server streams it that speaks Anthropic's Messages API."""
    shape = MessagesShape(message_id="msg_1", model="tiny")
    return shape.start(COUNTS) + b"".join(shape.deltas(answer, ids)) + shape.ending(answer, COUNTS, with_usage=True)


def begin(body: bytes, on: Keeper, shelf: Shelf, *, headers: Json | None = None) -> Playbook:
    """A life that has what stood for it."""
    book = Playbook(body, on, headers)
    if book.commands and isinstance(fetch := book.commands[0], Fetch):
        book.commands_seen() >> fetched(*shelf.fetch(fetch))
    return book.commands_seen()
