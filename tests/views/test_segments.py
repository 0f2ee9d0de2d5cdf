"""A prompt as a row of segments, and where it parts from the one before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.events import Usage
from keepwarm.ledger.records import Place, Recording, Verdict
from keepwarm.views.segments import BEFORE, BEHIND, diff, segments
from tests.ledger.samples import a_record

SYSTEM = '{"role":"system","content":"You are careful"}'
TOOLS = '{"type":"function","function":{"name":"Bash"}},{"type":"function","function":{"name":"Read"}}'
USER = '{"role":"user","content":"hello"}'
ANSWER = '{"role":"assistant","content":"Hello."}'
PLACE = Place("/messages/0/content", 3, "messages[0] (user)", "xx 00", "xx 11", "HIS005")
LOST = Verdict("partial", "client", "counted", lost=300, causes=("HIS005",), place=PLACE)


def recording(name: str, *texts: str) -> Recording:
    sent = tuple((digest.wire(text.encode()), text.encode()) for text in texts)
    return Recording(name, sent, sent)


def test_what_is_added_is_new() -> None:
    record = a_record(parent="r0", usage=Usage(1000, 800))
    found = segments(
        record, recording("r1", SYSTEM, TOOLS, USER, ANSWER), recording("r0", SYSTEM, TOOLS, USER), a_record()
    )
    assert found.grade == "recorded"
    assert [(one.what, one.state) for one in found.segments] == [
        ("the system prompt", "stable"),
        ("the tools", "stable"),
        ("turn 1 (user)", "stable"),
        ("turn 2 (assistant)", "new"),
    ]
    assert found.segments[0].text == SYSTEM
    assert sum(one.tokens or 0 for one in found.segments) == 1000


def test_what_changed_and_what_had_to_be_processed_again_for_it() -> None:
    now, before = recording("r1", SYSTEM + " ", TOOLS, USER, ANSWER), recording("r0", SYSTEM, TOOLS, USER)
    found = segments(a_record(parent="r0"), now, before, a_record())
    assert [one.state for one in found.segments] == ["changed", "again", "again", "new"]


def test_the_first_request_is_new() -> None:
    found = segments(a_record(parent=""), recording("r0", SYSTEM, USER), None, None)
    assert [one.state for one in found.segments] == ["new", "new"]


def test_no_words_where_nothing_was_recorded() -> None:
    record = a_record(usage=Usage(1000, 600), verdict=LOST)
    found = segments(record, None, None, a_record())
    assert found.grade == "counted"
    assert [(one.state, one.tokens, one.what) for one in found.segments] == [
        ("stable", 600, "reused from the cache"),
        ("changed", 0, "messages[0] (user)"),
        ("again", 300, "processed again"),
        ("new", 100, "new"),
    ]
    assert all(one.text is None for one in found.segments)


def test_a_request_whose_predecessor_was_not_recorded_is_counted() -> None:
    assert segments(a_record(), recording("r1", SYSTEM), None, a_record()).grade == "counted"


@pytest.mark.parametrize(("usage", "states"), [(Usage(), []), (Usage(90), ["new"]), (Usage(90, 90), ["stable"])])
def test_what_the_server_does_not_say_is_not_made_up(usage: Usage, states: list[str]) -> None:
    found = segments(a_record(usage=usage, verdict=None), None, None, None)
    assert [one.state for one in found.segments] == states


@given(st.integers(0, 10**6), st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_the_tokens_of_the_segments_are_those_of_the_prompt(tokens: int, texts: list[str]) -> None:
    sizes = sum(map(len, texts))
    found = segments(a_record(parent="", usage=Usage(tokens, 0)), recording("r", *texts), None, None)
    assert sum(one.tokens or 0 for one in found.segments) == (tokens if sizes else 0)
    assert all((one.tokens or 0) >= 0 for one in found.segments)


def test_a_diff_shows_the_words_around_the_place_where_they_are_recorded() -> None:
    old = '{"role":"user","content":"' + "a" * 900 + "1" + "b" * 3000 + '"}'
    new = old.replace("a1b", "a2b")
    record = a_record(id="r1", parent="r0", verdict=LOST)
    found = diff(record, recording("r1", SYSTEM, new), recording("r0", SYSTEM, old))
    assert (found.request, found.previous, found.recorded, found.code) == ("r1", "r0", True, "HIS005")
    assert found.offset == BEFORE
    assert found.before[: found.offset] == found.after[: found.offset]
    assert (found.before[found.offset], found.after[found.offset]) == ("1", "2")
    assert len(found.after) == BEFORE + BEHIND


def test_a_prompt_that_became_shorter_parts_at_its_end() -> None:
    found = diff(a_record(verdict=None), recording("r1", SYSTEM), recording("r0", SYSTEM, USER))
    assert (found.before, found.after) == (USER, "")
    assert "shorter" in found.what


def test_without_recordings_a_diff_is_the_redacted_excerpts() -> None:
    found = diff(a_record(verdict=LOST), None, None)
    assert (found.before, found.after, found.recorded, found.path) == ("xx 00", "xx 11", False, "/messages/0/content")
    nothing = diff(a_record(verdict=None), None, None)
    assert (nothing.what, nothing.before, nothing.after) == ("", "", "")


def test_a_prompt_that_was_only_added_to_parts_nowhere() -> None:
    found = diff(a_record(verdict=None), recording("r1", SYSTEM, USER), recording("r0", SYSTEM))
    assert (found.what, found.before, found.after) == ("", "", "")


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (
            ('[{"type":"text","text":"x"}]', '[{"name":"Bash","input_schema":{}}]', USER),
            ["the system prompt", "the tools", "turn 1 (user)"],
        ),
        ((USER, USER + "," + ANSWER), ["turn 1 (user)", "turn 2 (user, assistant)"]),
        (("no json", "{", '"text"'), ["turn 1", "turn 2", "turn 3"]),
    ],
)
def test_names_of_segments(texts: tuple[str, ...], names: list[str]) -> None:
    found = segments(a_record(parent=""), recording("r", *texts), None, None)
    assert [one.what for one in found.segments] == names
