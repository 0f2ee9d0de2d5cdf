"""What was generated, kept in the turn in which it came back: the words are there once."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.answer import Answer, Call
from keepwarm.session.echo import echo_of, generated
from keepwarm.session.lineage import Standing

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(texts, texts, texts)
def test_an_answer_comes_out_as_it_went_in(text: str, thinking: str, arguments: str) -> None:
    answer = Answer(text, thinking, "kw1.x", (Call("c1", "u1", "Bash", arguments),), "stop")
    for said in ([text, thinking, arguments], [text], []):
        turn = Standing(b"k", b"w", msgspec.json.encode(said))
        assert generated(echo_of(answer, turn, b"after", 3), turn) == answer


def test_long_words_are_not_kept_twice() -> None:
    text = 'He said "no"\n' * 40
    turn = Standing(b"k", b"w", msgspec.json.encode({"content": text}))
    echo = echo_of(Answer(text, reason="stop"), turn, b"", 1)
    assert len(msgspec.msgpack.encode(echo)) < 200
    with pytest.raises(msgspec.DecodeError):
        generated(echo, Standing(b"k", b"w", b'"\\' * 400))
