"""Exchanges of a log, played: what overlapped overlaps, what is not told is not known, nothing is rewritten."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from keepwarm.exchange.replay import Lived, Replay, front_of, unplayable
from keepwarm.ledger.records import Record
from keepwarm.logs.api import NO_ANSWER, Exchange
from keepwarm.rules.engine import rule_book
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import ChatShape, Counts
from keepwarm.testing.messages_shapes import MessagesShape
from tests.exchange.playbook import request

SHAPE = MessagesShape(message_id="msg_1", model="local")
CHAT = ChatShape(completion_id="chatcmpl-1", model="local", created=1)
SYSTEM = "You are an agent. " * 60
YES = {"role": "assistant", "content": "Yes."}
SESSION = {"x-claude-code-session-id": "s"}


def stream(cached: int, fresh: int, text: str = "Yes.") -> bytes:
    said, counts = Answer(text), Counts(cached, fresh, 3, 10.0)
    return SHAPE.start(counts) + b"".join(SHAPE.deltas(said, ())) + SHAPE.ending(said, counts, with_usage=True)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def asked(at: float, *messages: dict[str, Any], answer: bytes = b"", **fields: Any) -> Exchange:
    body = request(*messages, system=SYSTEM)
    made = Exchange(at, "/v1/messages", SESSION, body, status=200, answer=answer)
    return replace(made, **fields)


def play(*exchanges: Exchange) -> list[Lived]:
    """What came of them, in the order in which they ended; their ids are their numbers."""
    replay = Replay(rule_book())
    lived = [one for number, exchange in enumerate(exchanges) for one in replay.play(str(number), exchange)]
    return [*lived, *replay.finish()]


def records(*exchanges: Exchange) -> list[Record]:
    found = [one.record for one in play(*exchanges)]
    assert all(found)
    return [one for one in found if one is not None]


FIRST, SECOND, THIRD = (user("one"),), (user("one"), YES, user("two")), (user("one"), YES, user("two"), YES, user("3"))


def test_a_conversation() -> None:
    first, second = records(asked(1.0, *FIRST, answer=stream(0, 300)), asked(2.0, *SECOND, answer=stream(302, 20)))
    assert first.verdict is not None
    assert first.verdict.outcome == "first"
    assert second.verdict is not None
    assert second.verdict.outcome == "hit"
    assert second.usage.cached_tokens == 302
    assert (second.parent, second.session, second.turn) == ("0", "s", 2)
    assert (second.status, second.ending, second.edits) == (200, "done", ())


def test_those_that_overlap() -> None:
    """The side call begins while the first is running, and ends before it; the next turn knows both."""
    side = replace(asked(1.5, user("a title"), answer=stream(0, 40), total_ms=500.0), body=request(user("a title")))
    rows = records(
        asked(1.0, *FIRST, answer=stream(0, 300), total_ms=3_000.0),
        side,
        asked(5.0, *SECOND, answer=stream(302, 20), total_ms=500.0),
    )
    assert [record.id for record in rows] == ["1", "0", "2"], "in the order in which they ended"
    assert rows[2].parent == "0"
    early, *_ = records(
        asked(1.0, *FIRST, answer=stream(0, 300), total_ms=9_000.0), asked(2.0, *SECOND, answer=stream(302, 20))
    )
    assert (early.id, early.parent) == ("1", ""), "the first one has not been answered yet"


def test_times_are_those_of_the_log_and_no_others() -> None:
    known, unknown = records(
        asked(1.0, *FIRST, answer=stream(0, 9), first_byte_ms=5.0, first_token_ms=7.0, total_ms=9.0),
        asked(2.0, *SECOND, answer=stream(0, 9)),
    )
    assert (known.first_byte_ms, known.first_token_ms, known.total_ms, known.overhead_ms) == (5.0, 7.0, 9.0, None)
    assert (unknown.first_byte_ms, unknown.first_token_ms, unknown.total_ms) == (None, None, None)


def test_an_answer_that_is_not_in_the_log_is_not_reported_and_never_nothing_reused() -> None:
    rows = records(asked(1.0, *FIRST), asked(2.0, *SECOND), asked(3.0, *THIRD, status=None))
    for record in rows:
        assert record.ending == "done"
        assert record.usage.cached_tokens is None
        assert record.verdict is not None
        assert record.verdict.lost == 0
        assert set(record.verdict.causes) <= {"SRV006"}, "nobody knows how the answer was generated"
    assert [record.verdict.outcome for record in rows if record.verdict] == ["first", "unknown", "unknown"]


def test_a_request_without_an_answer_leaves_nothing() -> None:
    first, second = records(asked(1.0, *FIRST, status=NO_ANSWER), asked(2.0, *SECOND, answer=stream(0, 300)))
    assert first.ending == "hung_up"
    assert second.parent == ""


def test_a_stream_that_is_cut_off_is_one_whose_client_hung_up() -> None:
    (record,) = records(asked(1.0, *FIRST, answer=stream(10, 300)[:-400]))
    assert record.ending == "hung_up"
    assert record.usage.prompt_tokens == 310


def test_an_error_of_the_server() -> None:
    refused = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    (record,) = records(asked(1.0, *FIRST, status=529, answer=refused))
    assert (record.status, record.ending, record.error) == (529, "failed", "overloaded: busy")


def test_chat_completions_and_a_llama_cpp() -> None:
    said, counts = Answer("Yes."), Counts(90, 10, 5, 12.5)
    body = json.dumps({"model": "m", "messages": [user("hi")]}).encode()
    plain = Exchange(1.0, "https://h/openai/v1/chat/completions", {}, body, status=200)
    plain = replace(plain, answer=CHAT.whole(said, (), counts))
    llama = replace(plain, at=2.0, answer_headers={"server": "llama.cpp"})
    first, second = records(plain, llama)
    assert (first.front, first.upstream, first.usage.cached_tokens) == ("chat", "chat", 90)
    assert second.upstream == "llamacpp"


def test_servers_have_their_own_conversations() -> None:
    rows = records(
        asked(1.0, *FIRST, answer=stream(0, 300), url="http://a/v1/messages"),
        asked(2.0, *SECOND, answer=stream(302, 20), url="http://b/v1/messages"),
    )
    assert rows[1].parent == ""


def test_what_is_no_request_of_its_protocol() -> None:
    (lived,) = play(replace(asked(1.0), body=b'{"messages": 5}'))
    assert lived.record is None
    assert "protocol" in lived.refusal


def test_which_are_left_out_and_why() -> None:
    whole = asked(1.0, *FIRST)
    assert unplayable(whole) == ""
    assert unplayable(replace(whole, url="https://h/v1/messages?beta=true")) == ""
    assert unplayable(replace(whole, url="/v1/messages/count_tokens")) == "other paths (count_tokens)"
    assert unplayable(replace(whole, url="/v1/messages", method="GET")) == "other paths (messages)"
    assert unplayable(replace(whole, url="/a/sk-secret.key")) == "other paths"
    assert unplayable(replace(whole, body=b" ")) == "the request's body is not in the log"
    assert front_of(replace(whole, url="/api/v1/chat/completions/")) is not None
    assert front_of(replace(whole, url="/")) is None


def test_texts_are_kept_where_they_are_asked_for() -> None:
    for record in (True, False):
        replay = Replay(rule_book(), record=record)
        lived = [*replay.play("0", asked(1.0, *FIRST, answer=stream(0, 3))), *replay.finish()]
        assert (lived[0].recording is not None) is record
