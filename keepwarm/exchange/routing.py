"""How a request finds the machine that holds its conversation: keys for servers and balancers that route by them."""

from __future__ import annotations

from collections.abc import Container

import msgspec

from keepwarm.core.prompt import Edit
from keepwarm.rules import key002, sea002
from keepwarm.rules.engine import RuleBook
from keepwarm.rules.key002 import Route


class Ways(msgspec.Struct, frozen=True):
    """What is known of the way to a server."""

    host: str = ""
    """Its name."""
    model: str = ""
    """The model that it is asked for, whatever clients ask for; "" for the client's word."""
    cache_key: bool | None = None
    """The user's word on `prompt_cache_key`: None for servers that are known to take it."""
    headers: tuple[str, ...] = ()
    """Headers that name the conversation to a balancer."""


class Asker(msgspec.Struct, frozen=True):
    """Whose request it is."""

    model: str
    session: str
    agent: str
    lineage: str


def find_way(
    ways: Ways,
    rules: RuleBook,
    asker: Asker,
    headers: tuple[tuple[str, str], ...],
    said: Container[str] = (),
) -> tuple[Route, tuple[Edit, ...]]:
    """The members and headers of a request with the keys that are missing, and what was added to its body.

    headers  that go upstream without them
    said     names of members that the client says itself
    """
    route = Route((), headers)
    edits: tuple[Edit, ...] = ()
    model = ways.model or asker.model
    key = key002.route_key(model, asker.session, asker.agent, asker.lineage)
    if rules.has("KEY002") and (door := key002.door(ways.host, model, ways.cache_key)) is not None:
        fix = key002.add(route, door, key, said)
        route, edits = fix.value, fix.edits
    if rules.has("SEA002"):
        route = sea002.pin(route, ways.headers, key)
    return route, edits
