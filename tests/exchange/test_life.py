"""A life from its first byte to its record, whatever happens to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.exchange.commands import (
    Close,
    Finish,
    Open,
    Reply,
    Send,
    Start,
    Take,
    Tell,
    Write,
)
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.testing.answers import Answer
from tests.exchange.playbook import (
    Happening,
    Playbook,
    answered,
    arrived,
    asks,
    chat,
    ended,
    hung_up,
    keeper,
    lost,
    opened,
    play,
    progress,
    replies,
    request,
    says,
    taken,
    tick,
)

HELLO = chat(Answer("Hello there."))


def test_a_streamed_answer() -> None:
    record = (
        Playbook(request())
        << asks("/v1/chat/completions")
        >> opened(200)
        << Start
        >> arrived(HELLO)
        << says("message_start")
        << says("Hello there.")  # the first event of what came is not kept waiting for the others
        >> ended()
        << says("message_stop")
        << Finish
        << Write
    ).over()
    assert (record.status, record.ending, record.stream) == (200, "done", True)
    assert (record.usage.prompt_tokens, record.usage.cached_tokens, record.usage.output_tokens) == (100, 90, 5)


def test_an_answer_that_is_not_streamed() -> None:
    record = (
        Playbook(request(stream=False))
        << Open
        >> opened(200)
        >> arrived(HELLO)
        >> ended()
        << replies(200, '"text":"Hello there."', content_type="application/json")
        << Write
    ).over()
    assert (record.status, record.ending, record.stream) == (200, "done", False)


def test_what_is_noted_of_its_time() -> None:
    book = Playbook(request()) << Open
    book.after(3) >> opened(200) << Start
    book.after(40) >> arrived(HELLO[:300])
    book.skip(Send).after(10) >> arrived(HELLO[300:])
    record = (book.skip(Send).after(5) >> ended() << says("message_stop") << Finish << Write).over()
    assert record.overhead_ms == 0.25
    assert (record.first_byte_ms, record.first_token_ms, record.total_ms) == (43, 53, 58)
    assert record.answered_bytes == len(book.heard())


def test_a_body_that_cannot_be_read_is_refused_in_the_protocols_words() -> None:
    for body, words in ((b"{", "not valid JSON"), (b"[]", "messages"), (request()[:-1] + b',"model":5}', "model")):
        book = Playbook(body) << replies(400, "invalid_request_error")
        record = (book << Write).over()
        assert (record.status, record.ending) == (400, "failed"), words
        assert record.lineage == ""


def test_a_message_that_cannot_be_read_is_refused_before_anything_is_sent() -> None:
    body = request({"role": "user", "content": [{"type": "text"}]})
    record = (Playbook(body) << replies(400, "messages.0.content.0.text: Field required") << Write).over()
    assert record.error.startswith("bad_request: ")


# Refusals


def test_a_refusal_keeps_its_status_its_words_and_its_retry_after() -> None:
    record = (
        Playbook(request())
        << Open
        >> opened(429, retry_after="7")
        >> arrived(b'{"error":{"message":"slow ')
        >> arrived(b'down"}}')
        >> ended()
        << replies(429, "slow down", retry_after="7")
        << Write
    ).over()
    assert (record.status, record.ending, record.error) == (429, "failed", "rate_limit: slow down")


@pytest.mark.parametrize(
    ("status", "client", "kind"),
    [(500, 500, "api_error"), (529, 529, "overloaded_error"), (503, 503, "overloaded_error"), (404, 404, "not_found")],
)
def test_other_refusals(status: int, client: int, kind: str) -> None:
    book = Playbook(request()) << Open >> opened(status) >> arrived(b"no") >> ended()
    assert (book << replies(client, kind) << Write).over().status == client


def test_a_prompt_that_does_not_fit_is_told_in_the_words_that_start_compaction() -> None:
    body = (
        b'{"error":{"code":400,"type":"exceed_context_size_error","message":"x","n_prompt_tokens":9000,"n_ctx":8192}}'
    )
    book = Playbook(request()) << Open >> opened(400) >> arrived(body) >> ended()
    assert (book << replies(400, "prompt is too long: 9000 tokens > 8192 maximum") << Write).over().ending == "failed"


def test_a_refusal_whose_body_breaks_off_is_still_that_refusal() -> None:
    book = Playbook(request()) << Open >> opened(429, retry_after="7") >> arrived(b'{"error":{"message":"slow"}}')
    record = (book >> lost() << replies(429, "slow", retry_after="7") << Write).over()
    assert record.error == "rate_limit: slow"


def test_a_refusal_that_comes_after_the_client_was_told_to_wait() -> None:
    book = Playbook(request()) << Open
    book.after(1000) >> tick() << Start
    book >> opened(503) >> arrived(b'{"error":{"message":"Loading model"}}')
    record = (book >> ended() << says("event: error") << Finish << Write).over()
    assert (record.status, record.ending, record.error) == (200, "failed", "overloaded: Loading model")


# Connections that break


def test_a_server_that_cannot_be_reached() -> None:
    record = (
        Playbook(request()) << Open >> lost("cannot be reached") << replies(502, "cannot be reached") << Write
    ).over()
    assert (record.status, record.ending) == (502, "failed")


def test_a_server_that_closes_without_an_answer() -> None:
    assert (Playbook(request()) << Open >> ended() << replies(502) << Write).over().ending == "failed"


def test_a_connection_lost_in_the_answer() -> None:
    book = Playbook(request()) << Open >> opened(200) << Start >> arrived(HELLO[:500])
    record = (book.skip(Send) >> lost() << says("event: error") << Finish << Write).over()
    assert (record.status, record.ending) == (200, "failed")


def test_a_stream_that_ends_in_the_middle_is_no_whole_answer() -> None:
    book = Playbook(request()) << Open >> opened(200) << Start >> arrived(HELLO[: len(HELLO) // 2])
    record = (book.skip(Send) >> ended() << says("event: error") << Finish << Write).over()
    assert record.ending == "failed"
    assert b"message_stop" not in book.heard()


def test_an_answer_that_is_not_streamed_and_breaks_is_an_error_and_no_answer() -> None:
    book = Playbook(request(stream=False)) << Open >> opened(200) >> arrived(HELLO[:500])
    record = (book >> lost() << replies(502, '"type":"error"') << Write).over()
    assert (record.status, record.ending) == (502, "failed")


# Hang-ups


def test_a_client_that_hangs_up_at_any_point_has_its_request_cancelled_and_written() -> None:
    happenings: list[Happening] = [taken(), opened(200), arrived(HELLO[:400]), tick(), arrived(HELLO[400:])]
    for count in range(len(happenings) + 1):
        on = keeper(slots=2)
        book = Playbook(request(), on) << Take
        for happening in happenings[:count]:
            book = (book >> happening).skip(Open).skip(Start).skip(Send)
        record = (book >> hung_up() << Close << Write).over()
        assert record.ending == "hung_up"
        assert record.status == 499, "no status was told before the end"
        assert on.table.busy() == 0


def test_what_was_generated_for_a_client_that_hung_up_is_known_by_its_place_and_not_by_its_words() -> None:
    on = keeper()
    book = (Playbook(request(), on) << Open >> opened(200) << Start >> arrived(HELLO)).skip(Send)
    (book >> hung_up() << Close << Write).over()
    (lineage,) = on.journal.lineages()
    (sent,) = lineage.requests
    assert sent.answer is not None
    assert (sent.answer.text, sent.answer.reason) == ("Hello there.", "")
    group = book.life.story.stable.group if book.life.story.stable else None
    assert group is not None
    assert on.journal.answers.cut(group, sent.keys[-1]) == sent.answer
    assert on.journal.answers.by_text(group, "Hello there.") is None


def test_a_client_that_hung_up_before_the_first_token_leaves_nothing_to_go_on_from() -> None:
    on = keeper()
    (Playbook(request(), on) << Open >> opened(200) << Start >> hung_up() << Close << Write).over()
    (lineage,) = on.journal.lineages()
    assert lineage.requests == []
    assert len(on.journal.answers) == 0


# Keeping the client from giving up


def test_headers_after_a_second_and_a_ping_every_five() -> None:
    book = Playbook(request()) << Open
    book.waits(1.0).after(1000) >> tick() << Start
    book.waits(5.0).after(5000) >> tick() << says("event: ping")
    book.waits(5.0).after(5000) >> tick() << says("event: ping")
    (book >> opened(200) >> arrived(HELLO)).skip(Send)
    assert (book >> ended() << says("message_stop") << Finish << Write).over().ending == "done"


def test_progress_that_only_the_gateway_hears_does_not_keep_the_client_waiting() -> None:
    book = Playbook(request()) << Open >> opened(200) << Start
    heard, last = 0, 0.0
    for step in range(40):
        book.after(700) >> arrived(progress(20_000, 0, step * 500))
        book.commands_seen()
        if len(book.heard()) > heard:
            heard, last = len(book.heard()), book.now
        assert book.now - last < 6_000
    assert book.heard().count(b"event: ping") >= 4
    told = [command.progress.processed for command in book.commands if isinstance(command, Tell)]
    assert told == sorted(told)
    assert len(told) == 13, "who watches is told every two seconds"


def test_a_long_wait_for_a_slot_is_kept_alive_too() -> None:
    book = Playbook(request(), keeper(slots=1)) << Take(0)
    book.after(1000) >> tick() << Start
    book.after(5000) >> tick() << says("event: ping")
    (book >> taken() << Open >> opened(200) >> arrived(HELLO)).skip(Send)
    assert (book >> ended() << says("message_stop") << Finish << Write).over().ending == "done"


def test_an_answer_that_is_not_streamed_gets_white_space_after_a_minute() -> None:
    book = Playbook(request(stream=False)) << Open >> opened(200)
    for _ in range(60):
        book.after(1000) >> tick()
    book.after(5000) >> tick() << Start << Send(b" ")
    book.after(5000) >> tick() << Send(b" ")
    record = (book >> arrived(HELLO) >> ended() << says('"text":"Hello there."') << Finish << Write).over()
    assert record.ending == "done"


def test_a_server_that_is_only_observed_speaks_first() -> None:
    on = keeper("anthropic", manner=Manner(observe=True))
    book = Playbook(request(), on) << Open
    book.after(10_000) >> tick()
    book.after(10_000) >> tick() >> opened(200) << Start


# Whatever happens


HAPPENINGS: dict[str, Happening] = {
    "opened": opened(200),
    "refused": opened(503, retry_after="1"),
    "a piece": arrived(HELLO[:333]),
    "another": arrived(HELLO[333:]),
    "whole": arrived(HELLO),
    "garbage": arrived(b"data: {\n\n"),
    "error": arrived(b'data: {"error":{"code":500,"message":"no"}}\n\n'),
    "empty": arrived(b""),
    "ended": ended(),
    "lost": lost(),
    "taken": taken(),
    "answered": answered(200, b'{"prompt":"x"}'),
    "failed": answered(0),
    "tick": tick(),
    "hung up": hung_up(),
}


def any_keeper(kind: str, slots: int, observe: bool) -> Keeper:
    on = keeper(kind, slots=slots, manner=Manner(observe=observe))
    if slots == 1:
        play(request({"role": "user", "content": "before"}), on, Answer("x"))
    return on


@given(
    st.lists(st.tuples(st.sampled_from(list(HAPPENINGS)), st.sampled_from([0, 1, 4_999, 5_000, 61_000])), max_size=25),
    st.sampled_from(["llamacpp", "chat", "anthropic"]),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([request(), request(stream=False), b"{", request({"role": "user", "content": 5})]),
    st.sampled_from(["anthropic", "chat"]),
)
def test_whatever_events_arrive_a_life_ends_in_exactly_one_record_and_keeps_to_the_table(
    names: list[tuple[str, int]], kind: str, slots: int, observe: bool, body: bytes, front: str
) -> None:
    on = any_keeper(kind, slots if kind == "llamacpp" else 0, observe and (kind == "anthropic" or front == "chat"))
    book = Playbook(body, on, front=front)
    for name, later in [*names, ("hung up", 0)]:
        if book.is_over:
            break
        book.commands_seen().after(later) >> HAPPENINGS[name]
    record = book.commands_seen().over()
    assert record.ending in ("done", "failed", "hung_up")
    assert on.table.busy() == 0
    assert sum(isinstance(command, Reply) for command in book.commands) <= 1
    if record.ending == "done":
        assert any(isinstance(command, Reply | Finish) for command in book.commands)
