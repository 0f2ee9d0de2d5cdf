"""Settings as people write them: what is read, and where it stops."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.codec.jsonc import DEEPEST, JSONC, STRICT, Dialect, Node, parse, place, value_of
from keepwarm.errors import SettingsError

LINES_ONLY = Dialect(comments=True, blocks=False)


def read(text: str, dialect: Dialect = JSONC) -> Any:
    root = parse(text, dialect)
    assert root is not None
    return value_of(text, root)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        " [ ] ",
        '"a"',
        "-1.5e+10",
        "null",
        '{"a": [1, {"b": true}], "c": {}}',
        '{"\\u0065nv": "\\"\\\\\\/\\b\\f\\n\\r\\t", "é": "😀 \\ud83d\\ude00"}',
        '{"a": 1, "a": 2}',
        '\r\n{\r\n\t"a" :1 ,\r\n"b":[ 1,2 ]\r\n}\r\n',
    ],
)
def test_strict_json_is_what_python_reads(text: str) -> None:
    assert read(text, STRICT) == json.loads(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_whatever_json_writes_is_read(value: Any) -> None:
    for indent in (None, 2, "\t"):
        assert read(json.dumps(value, indent=indent), STRICT) == value
        assert read(json.dumps(value, indent=indent, ensure_ascii=False), STRICT) == value


@given(st.text(alphabet='{}[]",:\\/*01.-e truefalsn\n\t\x01é', max_size=24))
def test_what_is_no_json_is_refused_and_what_is_json_is_not(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        if text.strip(" \t\r\n"):
            with pytest.raises(SettingsError) as error:
                parse(text, STRICT)
            assert error.value.line >= 1
            assert error.value.column >= 1
        return
    assert read(text, STRICT) == wanted


def test_comments_and_trailing_commas_are_read_where_they_may_stand() -> None:
    text = '// head\n{ /* a */ "a": 1, // one\n "b": [1, 2, /* two */ ], "c": "// none", }\n// end'
    assert read(text) == {"a": 1, "b": [1, 2], "c": "// none"}


@pytest.mark.parametrize("text", ["", " \r\n", "// only this\n", "/* and\nthis */"])
def test_nothing_is_nothing(text: str) -> None:
    assert parse(text, JSONC) is None


@pytest.mark.parametrize(
    ("text", "dialect", "at", "words"),
    [
        ('{\n  "a": 1, // c\n}', STRICT, (2, 11), "a comment"),
        ('{\n  "a": 1,\n}', STRICT, (2, 9), "a comma in front of }"),
        ("[1,]", Dialect(comments=True), (1, 3), "a comma in front of ]"),
        ('{"a": /* c */ 1}', LINES_ONLY, (1, 7), "only // is read"),
        ('{"a": 1 "b": 2}', JSONC, (1, 9), "a comma or the closing bracket"),
        ('{"a" 1}', JSONC, (1, 6), "a colon"),
        ("{'a': 1}", JSONC, (1, 2), "single quotes"),
        ("{a: 1}", JSONC, (1, 2), "a key in double quotes"),
        ('{"a": 1}}', JSONC, (1, 9), "the end of the file"),
        ('{"a": [1}', JSONC, (1, 9), "a comma or the closing bracket"),
        ('{"a": "x\n"}', JSONC, (1, 7), "not closed on its line"),
        ('{"a": "\\x"}', JSONC, (1, 7), "unknown escape"),
        ('{"a": 01}', JSONC, (1, 8), "a comma or the closing bracket"),
        ('{"a": NaN}', JSONC, (1, 7), "a value"),
        ("{,}", JSONC, (1, 2), "a key in double quotes, or }"),
        ("[,]", JSONC, (1, 2), "a value or ]"),
        ('{"a": 1,, }', JSONC, (1, 9), "a key in double quotes"),
        ("/* a", JSONC, (1, 1), "never ends"),
        ('{\r\n\r\n "é": [', JSONC, (3, 8), "ends within the [ of line 3, column 7"),
        ("{\r  x", JSONC, (2, 3), "a key"),
        ("\ufeff{}", JSONC, (1, 1), "a value"),
    ],
)
def test_a_fault_has_its_place(text: str, dialect: Dialect, at: tuple[int, int], words: str) -> None:
    with pytest.raises(SettingsError, match="line") as error:
        parse(text, dialect)
    assert (error.value.line, error.value.column) == at
    assert f"line {at[0]}, column {at[1]}: " in str(error.value)
    assert words in str(error.value)


def test_what_has_no_end_to_its_depth_is_refused() -> None:
    assert read("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(SettingsError, match="deep"):
        parse("[" * 100_000, JSONC)


def test_a_key_that_stands_twice_counts_where_it_stands_last() -> None:
    root = parse('{"a": 1, "b": 2, "a": 3}', STRICT)
    assert root is not None
    found = root.get("a")
    assert isinstance(found, Node)
    assert (found.start, found.end) == (22, 23)
    assert root.get("c") is None


def test_lines_end_in_three_ways() -> None:
    assert [place("a\nb\r\nc\rd", at) for at in (0, 1, 2, 3, 5, 7)] == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1)]


def test_five_megabytes_are_read() -> None:
    text = json.dumps({"list": [{"n": n, "s": "x" * 80} for n in range(45_000)]}, indent=2)
    assert len(text) > 5_000_000
    assert read(text, STRICT) == json.loads(text)
