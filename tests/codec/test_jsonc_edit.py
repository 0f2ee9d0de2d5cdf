"""Settings edited in place: the wanted values stand there, and every other character is where it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.codec.jsonc import JSONC, STRICT, Dialect, parse, value_of
from keepwarm.codec.jsonc_edit import Change, changes, edited
from keepwarm.errors import SettingsError

WANTED = {"env": {"H": "0"}}


def put(text: str, wanted: Mapping[str, Any] = WANTED, dialect: Dialect = JSONC) -> str:
    """`text` with `wanted`; that a second time changes nothing is asked each time."""
    made = edited(text, changes(text, parse(text, dialect), wanted))
    assert changes(made, parse(made, dialect), wanted) == []
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '{\n  "env": {\n    "H": "0"\n  }\n}\n'),
        ("\n\n", '\n\n{\n  "env": {\n    "H": "0"\n  }\n}\n'),
        ("// mine", '// mine\n{\n  "env": {\n    "H": "0"\n  }\n}\n'),
        ("{}", '{\n  "env": {\n    "H": "0"\n  }\n}'),
        ("{}\n", '{\n  "env": {\n    "H": "0"\n  }\n}\n'),
        ("{\n}\n", '{\n  "env": {\n    "H": "0"\n  }\n}\n'),
        ("{ // c\n}", '{\n  "env": {\n    "H": "0"\n  } // c\n}'),
        ('{"a":1}', '{"a":1,"env":{"H":"0"}}'),
        ('{ "a": 1 }\n', '{ "a": 1, "env": {"H": "0"} }\n'),
        ('{"a":1,"b":2,}', '{"a":1,"b":2,"env":{"H":"0"},}'),
        ('{"env":{}}', '{"env":{"H": "0"}}'),
        ('{"env" : {"A" : "b"}}', '{"env" : {"A" : "b", "H" : "0"}}'),
        ('{"env":{"H":"1"}}', '{"env":{"H":"0"}}'),
        ('{"env":{"H":0}}', '{"env":{"H":"0"}}'),
        ('{"env":{"H":"0"}}', '{"env":{"H":"0"}}'),
        ('{"\\u0065nv":{"\\u0048":"1"}}', '{"\\u0065nv":{"\\u0048":"0"}}'),
        ('{"env":{"H":"1"},"env":{"H":"2"}}', '{"env":{"H":"1"},"env":{"H":"0"}}'),
        (
            '{\n\t"env": {\n\t\t"A": "b"\n\t},\n\t"z": 1\n}',
            '{\n\t"env": {\n\t\t"A": "b",\n\t\t"H": "0"\n\t},\n\t"z": 1\n}',
        ),
        ('{\n    "a": 1\n}', '{\n    "a": 1,\n    "env": {\n        "H": "0"\n    }\n}'),
        ('{\n "a": 1, // one\n // end\n}', '{\n "a": 1, // one\n "env": {\n  "H": "0"\n },\n // end\n}'),
        ('{\n "a": 1 /* x */ // one\n}', '{\n "a": 1, /* x */ // one\n "env": {\n  "H": "0"\n }\n}'),
        ('{\r\n  "a": 1\r\n}\r\n', '{\r\n  "a": 1,\r\n  "env": {\r\n    "H": "0"\r\n  }\r\n}\r\n'),
        ('{\r  "a": 1\r}', '{\r  "a": 1,\r  "env": {\r    "H": "0"\r  }\r}'),
        ('{\n  "é": "😀",\n  "env": { }\n}', '{\n  "é": "😀",\n  "env": {\n    "H": "0"\n  }\n}'),
        ('{\n  "a": 1 }', '{\n  "a": 1,\n  "env": {\n    "H": "0"\n  } }'),
    ],
)
def test_what_is_put_in_looks_like_what_is_there(before: str, after: str) -> None:
    assert put(before) == after


def test_several_values_in_several_places() -> None:
    before = '{\n  "env": {\n    "A": "1"\n  },\n  "b": false\n}\n'
    after = (
        '{\n  "env": {\n    "A": "2",\n    "B": "é"\n  },\n  "b": true,\n  "c": {\n    "d": [\n      1\n    ]\n  }\n}\n'
    )
    assert put(before, {"env": {"A": "2", "B": "é"}, "b": True, "c": {"d": [1]}}) == after


def test_one_is_not_true() -> None:
    assert put('{"a": 1}', {"a": True}) == '{"a": true}'
    assert put('{"a": false}', {"a": 0}) == '{"a": 0}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "line 1, column 1: the file holds an array, where an object is expected"),
        ('"a"', "the file holds a string"),
        ('{\n  "env": []}', 'line 2, column 10: "env" is an array, where an object is expected'),
        ('{"env": null}', '"env" is true, false or null'),
        ('{"env": "H=0"}', '"env" is a string'),
    ],
)
def test_what_is_no_object_is_left_to_its_owner(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        put(text)
    assert words in str(error.value)


def test_nothing_wanted_is_nothing_changed() -> None:
    assert put("", {}) == ""
    assert put('{"a": 1}', {}) == '{"a": 1}'


def test_changes_at_one_place_keep_their_order() -> None:
    assert edited("ab", [Change(1, 1, "x"), Change(1, 1, "y"), Change(0, 1, "z")]) == "zxyb"


# Whatever a person writes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
SPACE = st.text(alphabet=" \t", max_size=3)
GAPS = st.sampled_from(["", "", " ", "\n", "\n\n  ", "\r\n\t", " // a remark, {not} [json]\n", "/* b */", "/* c\n */ "])


@st.composite
def written(draw: st.DrawFn, value: Any, strict: bool) -> str:
    """A value in one of the ways in which it may be written."""

    def gap() -> str:
        return draw(SPACE) + draw(st.sampled_from(["", "\n", "\r\n"])) if strict else draw(GAPS)

    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        parts = []
        for key, inner in items:
            name = (
                f"{json.dumps(key, ensure_ascii=draw(st.booleans()))}{gap()}:{gap()}" if isinstance(value, dict) else ""
            )
            parts.append(f"{gap()}{name}{draw(written(inner, strict))}{gap()}")
        last = "," + gap() if parts and not strict and draw(st.booleans()) else ""
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        return f"{opening}{','.join(parts) or gap()}{last}{closing}"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Any, Dialect]:
    strict = draw(st.booleans())
    value = draw(st.dictionaries(st.text(max_size=6), VALUES, max_size=5))
    if draw(st.booleans()):
        value["env"] = draw(
            st.dictionaries(st.sampled_from(["A", "H", "B", "é"]), st.sampled_from(["0", "1", 0, True]), max_size=4)
        )
    else:
        value.pop("env", None)
    value.pop("line", None)
    text = draw(written(value, strict))
    return (f"{draw(GAPS)}{text}{draw(GAPS)}" if not strict else text), value, STRICT if strict else JSONC


@given(documents())
def test_only_what_is_wanted_changes(document: tuple[str, Any, Dialect]) -> None:
    text, value, dialect = document
    root = parse(text, dialect)
    assert root is not None
    assert value_of(text, root) == value
    made = put(text, {"env": {"H": "0", "B": "u"}, "line": {"t": "c"}}, dialect)
    after = parse(made, dialect)
    assert after is not None
    said = value_of(made, after)
    assert said["env"]["H"] == "0"
    left = {key: inner for key, inner in said["env"].items() if key not in ("H", "B")}
    assert left == {key: inner for key, inner in value.get("env", {}).items() if key not in ("H", "B")}
    rest = {key: inner for key, inner in said.items() if key not in ("env", "line")}
    assert rest == {key: inner for key, inner in value.items() if key not in ("env", "line")}
    # Each comment is there yet, in its order.
    remarks = re.compile(r"// a remark, \{not\} \[json\]|/\* b \*/|/\* c\n \*/")
    assert remarks.findall(made) == remarks.findall(text)
