"""Edits in place: spans are where the values stand, and every byte outside a patch stays."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keepwarm.codec.splice import Patch, Span, elements, members, splice, whole, without
from keepwarm.errors import BadJson

SPACE = st.sampled_from(["", " ", "\n", "\t ", "\r\n  "])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=8
)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """`value` as JSON text with white space anywhere and strings escaped or not."""

    def gap() -> str:
        return draw(SPACE)

    if isinstance(value, dict):
        items = [f"{gap()}{draw(written(key))}{gap()}:{draw(written(inner))}" for key, inner in value.items()]
        text = "{" + (",".join(items) or gap()) + "}"
    elif isinstance(value, list):
        text = "[" + (",".join(draw(written(inner)) for inner in value) or gap()) + "]"
    else:
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    return f"{gap()}{text}{gap()}"


OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5).flatmap(
    lambda value: st.tuples(st.just(value), written(value))
)
ARRAYS = st.lists(VALUES, max_size=5).flatmap(lambda value: st.tuples(st.just(value), written(value)))


@given(OBJECTS)
def test_a_members_span_holds_its_value(case: tuple[dict[str, Any], str]) -> None:
    value, text = case
    body = text.encode()
    spans = members(body)
    assert list(spans) == list(value)
    for key, (start, end) in spans.items():
        assert json.loads(body[start:end]) == value[key]
        assert body[start:end] == body[start:end].strip()


@given(ARRAYS)
def test_an_elements_span_holds_its_value(case: tuple[list[Any], str]) -> None:
    value, text = case
    body = text.encode()
    spans = elements(body)
    assert [json.loads(body[start:end]) for start, end in spans] == value
    assert all(body[start:end] == body[start:end].strip() for start, end in spans)


@given(OBJECTS)
def test_spans_inside_a_span_count_from_the_bodys_beginning(case: tuple[dict[str, Any], str]) -> None:
    value, text = case
    body = f'[1, {{"inner":{text}, "after": [ {text} ]}} ]'.encode()
    outer = members(body, elements(body)[1])
    assert members(body, outer["inner"]).keys() == value.keys()
    (last,) = elements(body, outer["after"])
    for key, (start, end) in members(body, last).items():
        assert json.loads(body[start:end]) == value[key]


@given(OBJECTS, st.data())
def test_a_replaced_member_changes_nothing_else(case: tuple[dict[str, Any], str], data: st.DataObject) -> None:
    value, text = case
    assume(value)
    body = text.encode()
    spans = members(body)
    key = data.draw(st.sampled_from(sorted(value)))
    start, end = spans[key]
    edited = splice(body, [Patch(start, end, b'"new"')])
    assert json.loads(edited) == value | {key: "new"}
    assert edited[:start] == body[:start]
    assert edited[start + 5 :] == body[end:]


@given(ARRAYS, st.data())
def test_putting_every_value_back_is_the_body_itself(case: tuple[list[Any], str], data: st.DataObject) -> None:
    body = case[1].encode()
    patches = [Patch(start, end, body[start:end]) for start, end in elements(body)]
    assert splice(body, data.draw(st.permutations(patches))) == body
    assert splice(body, []) == body


@given(ARRAYS, st.sets(st.integers(min_value=0, max_value=4)))
def test_elements_taken_out_leave_an_array_of_the_others(case: tuple[list[Any], str], gone: set[int]) -> None:
    value, text = case
    body = text.encode()
    drop = {index for index in gone if index < len(value)}
    edited = splice(body, without(body, whole(body), elements(body), drop))
    assert json.loads(edited) == [inner for index, inner in enumerate(value) if index not in drop]


@given(ARRAYS, st.data())
def test_some_go_while_others_change(case: tuple[list[Any], str], data: st.DataObject) -> None:
    value, text = case
    body = text.encode()
    spans = elements(body)
    drop = data.draw(st.sets(st.integers(0, max(0, len(value) - 1)), max_size=len(value)))
    patches = without(body, whole(body), spans, drop)
    patches += [Patch(*span, b'"new"') for index, span in enumerate(spans) if index not in drop]
    assert json.loads(splice(body, patches)) == ["new"] * (len(value) - len(drop))


def test_inserts_at_one_place_stand_in_the_order_given() -> None:
    assert splice(b"[]", [Patch(1, 1, b"2,"), Patch(1, 1, b"1")]) == b"[2,1]"
    assert splice(b"[9]", [Patch(1, 2, b"8"), Patch(1, 1, b"7,")]) == b"[7,8]"


@pytest.mark.parametrize(
    "patches",
    [
        [Patch(0, 3, b""), Patch(2, 4, b"")],
        [Patch(0, 3, b""), Patch(1, 1, b"x")],
        [Patch(3, 1, b"")],
        [Patch(-2, 1, b"")],
        [Patch(4, 9, b"")],
    ],
)
def test_patches_that_overlap_or_stand_outside_are_refused(patches: list[Patch]) -> None:
    with pytest.raises(ValueError, match="patch"):
        splice(b"012345", patches)


@given(OBJECTS, st.data())
@example(({"a": 1}, '{"a":1}'), None)
def test_a_key_said_twice_is_refused(case: tuple[dict[str, Any], str], data: st.DataObject | None) -> None:
    value, text = case
    assume(value)
    key = "a" if data is None else data.draw(st.sampled_from(sorted(value)))
    second = value[key] if data is None else data.draw(VALUES)
    place = text.rindex("}")
    twice = text[:place] + f",{json.dumps(key)}:{json.dumps(second)}" + text[place:]
    with pytest.raises(BadJson, match="twice"):
        members(twice.encode())


@pytest.mark.parametrize("body", [b"", b"[1]", b'"x"', b'{"a":}', b'{"a":1', b"null", b'{"a":1}}', b'{"\xff":1}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson):
        members(body)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1,]", b"[1", b"[" * 100_000 + b"]" * 100_000])
def test_what_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson):
        elements(body)


def test_numbers_and_escapes_stay_as_they_were_spelled() -> None:
    body = b'{ "a" : 5000.0, "\\u0062" :1E2 ,"c":"\\u00e4\\/"}'
    spans = members(body)
    assert [body[start:end] for start, end in spans.values()] == [b"5000.0", b"1E2", b'"\\u00e4\\/"']
    assert list(spans) == ["a", "b", "c"]
    assert whole(b"  " + body + b"\n") == Span(2, 2 + len(body))


@pytest.mark.parametrize("body", [b'["a",{"b":[1,2]},3]', b'[ "a" , {"b":[1,2]},\n3 ]', b"[1]", b"[]"])
def test_elements_whose_lengths_are_known_are_found_without_reading(body: bytes) -> None:
    spans = elements(body)
    assert elements(body, sizes=[span.end - span.start for span in spans]) == spans
    assert [body[span.start : span.end] for span in spans] == [
        bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])
    ]
