"""JSON from outside: what is a whole object, and what reading raises."""

from __future__ import annotations

import msgspec
import pytest

from keepwarm.codec.json_text import UNREADABLE, is_object


@pytest.mark.parametrize("text", ["{}", ' {"a":1.50}', '{"a":"\\ud83d"}', '{"a":\n1}'])
def test_whole_arguments(text: str) -> None:
    assert is_object(text)


@pytest.mark.parametrize("text", ["", "{", '{"a":"b', "[]", '"x"', "null", '{"a":NaN}', '{"a":1}}', "[" * 100_000])
def test_arguments_that_are_not(text: str) -> None:
    assert not is_object(text)


@pytest.mark.parametrize("body", [b"{", b'"\xff"', b"[" * 100_000])
def test_what_cannot_be_read_raises_one_of_these(body: bytes) -> None:
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(body)
