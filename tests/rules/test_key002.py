"""Keys for servers that route by them: stable, never random, and only where they are wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.rules.key002 import ANY, DOORS, Door, Route, add, door, route_key

names = st.sampled_from(("", "a", "b", "ab"))
doors = st.sampled_from((*DOORS, ANY))
routes = st.builds(
    Route,
    st.sampled_from(((), (("prompt_cache_key", "mine"),))),
    st.sampled_from(((), (("X-Session-Id", "mine"),), (("authorization", "Bearer k"),))),
)


@given(routes, doors, st.sampled_from(((), ("prompt_cache_key",))))
def test_a_key_that_was_added_is_not_added_again(route: Route, way: Door, said: tuple[str, ...]) -> None:
    once = add(route, way, "k", said)
    again = add(once.value, way, "k", said)
    assert (again.value, again.edits) == (once.value, ())


@given(routes, doors)
def test_what_is_there_stays_first_and_as_it_is(route: Route, way: Door) -> None:
    after = add(route, way, "k").value
    assert after.members[: len(route.members)] == route.members
    assert after.headers[: len(route.headers)] == route.headers


@given(names, names, names, names, names)
def test_the_conversation_counts_only_where_no_session_is_named(
    model: str, session: str, agent: str, one: str, other: str
) -> None:
    keys = {route_key(model, session, agent, lineage) for lineage in (one, other)}
    assert len(keys) == (1 if session or one == other else 2)
    assert all(len(key) == 32 for key in keys)


def test_who_asks_for_what_is_part_of_the_key() -> None:
    keys = {route_key(*words, "l") for words in (("m", "s", ""), ("n", "s", ""), ("m", "t", ""), ("m", "s", "a"))}
    assert len(keys) == 4
    assert route_key("m", "s", "", "l") == route_key("m", "s", "", "l")


@pytest.mark.parametrize(
    ("host", "model", "asked", "header"),
    [
        ("api.openai.com", "gpt-5.6", None, ""),
        ("eu.api.openai.com", "o3", None, ""),
        ("mine.openai.azure.com", "GPT-5.6", None, ""),
        ("mine.openai.azure.com", "DeepSeek-V4", None, None),
        ("mine.openai.azure.com", "DeepSeek-V4", True, ""),
        ("api.x.ai", "grok-5", None, "x-grok-conv-id"),
        ("api.x.ai", "grok-5", True, "x-grok-conv-id"),
        ("api.x.ai", "grok-5", False, None),
        ("xapi.x.ai.example", "m", None, None),
        ("127.0.0.1", "m", None, None),
        ("", "m", True, ""),
    ],
)
def test_which_server_is_told_how(host: str, model: str, asked: bool | None, header: str | None) -> None:
    found = door(host, model, asked)
    assert (None if found is None else found.header) == header
