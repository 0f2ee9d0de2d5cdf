"""What is noted of a request, and the verdict that comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from keepwarm.core.answer import Answer as Heard
from keepwarm.exchange.commands import Open, Write
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.story import _generated, unserved
from keepwarm.ledger.records import Record, Verdict
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialects
from tests.exchange.playbook import Playbook, arrived, chat, ended, keeper, lost, opened, play, request

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "hi"}
YES: Json = {"role": "assistant", "content": "Yes."}
ON: Json = {"role": "user", "content": "go on"}
HEADERS = {"user-agent": "claude-cli/2.1.114 (external, cli)", "x-claude-code-session-id": "s1"}
TOOLS = [{"name": "Bash", "input_schema": {}}]


def ask(
    on: Keeper,
    *messages: Json,
    counts: tuple[int, int, int] = (0, 1000, 20),
    headers: Json | None = None,
    **fields: Any,
) -> Record:
    """The record of a request that the server answers "Yes."; counts: cached, processed, generated."""
    answer = chat(Answer("Yes."), counts=Counts(*counts, 12.5))
    return (
        Playbook(request(*messages, **fields), on, HEADERS if headers is None else headers).answer_with(answer).over()
    )


def verdict(record: Record) -> tuple[str, str, tuple[str, ...]]:
    assert record.verdict is not None
    return record.verdict.outcome, record.verdict.blame, record.verdict.causes


def test_who_asked_and_what_went_both_ways() -> None:
    body = request(USER, system="x-anthropic-billing-header: cc_version=2.1.114.c39;\nBe brief.")
    book = play(body, keeper(), Answer("Yes."), headers=HEADERS)
    record = book.over()
    assert (record.client, record.session, record.agent, record.front) == ("claude-cli/2.1.114", "s1", "", "anthropic")
    assert (record.upstream, record.model, record.stream) == ("llamacpp", "local", True)
    assert record.metadata == (("cc_version", "2.1.114.c39"),)
    assert record.received_bytes == len(body)
    (opening,) = [command for command in book.commands if isinstance(command, Open)]
    assert record.sent_bytes == len(opening.request.body)
    assert ("x-keepwarm-client-cc-version", "2.1.114.c39") in opening.request.headers


def test_no_word_of_a_prompt_stands_in_a_record() -> None:
    on = keeper()
    words = [f"secret{number}" for number in range(9)]
    system = "Rules. " * 100
    ask(on, {"role": "user", "content": words[0]}, YES, {"role": "user", "content": words[1]}, system=system + words[2])
    record = ask(
        on,
        {"role": "user", "content": words[0]},
        YES,
        {"role": "user", "content": words[3]},
        {"role": "system", "content": words[4]},
        system=system + words[5],
        tools=[],
    )
    assert record.edits
    assert record.verdict is not None
    assert not [word for word in words if word in repr(record)]


# Kinds


@pytest.mark.parametrize(
    ("headers", "fields", "kind"),
    [
        ({}, {"tools": TOOLS}, "main"),
        ({}, {}, "side"),
        ({"x-claude-code-agent-id": "a1"}, {"tools": TOOLS}, "subagent"),
        ({"x-claude-code-request-class": "main"}, {}, "main"),
        ({"x-claude-code-request-class": "subagent"}, {"tools": TOOLS}, "subagent"),
        ({}, {"tools": TOOLS, "system": "x-anthropic-billing-header: cc_is_subagent=true;\nGo."}, "subagent"),
    ],
)
def test_kinds_of_requests(headers: Json, fields: Json, kind: str) -> None:
    assert ask(keeper(), USER, headers=HEADERS | headers, **fields).kind == kind


def test_the_first_with_tools_is_the_main_conversation_and_another_shape_is_not() -> None:
    on = keeper()
    kinds = [ask(on, USER, system=system, tools=TOOLS).kind for system in ("You code.", "You search.", "You code.")]
    assert kinds == ["main", "subagent", "main"]


# Verdicts


def test_first_then_hit() -> None:
    on = keeper()
    assert verdict(ask(on, USER))[:2] == ("first", "nobody")
    record = ask(on, USER, YES, ON, counts=(1019, 8, 20))
    assert verdict(record) == ("hit", "nobody", ())
    assert record.verdict is not None
    assert (record.verdict.expected, record.verdict.actual, record.verdict.grade) == (1020, 1019, "counted")


def test_a_server_that_drops_what_it_had_is_to_blame() -> None:
    on = keeper()
    ask(on, USER)
    assert verdict(ask(on, USER, YES, ON, counts=(0, 1027, 20))) == ("miss", "server", ("SRV001",))


def test_a_client_that_edits_its_history_is_named() -> None:
    on = keeper()
    rows = [USER, YES, ON, YES, ON]
    ask(on, *rows, counts=(0, 10_000, 20))
    record = ask(on, USER, YES, {"role": "user", "content": "no"}, YES, ON, counts=(4_000, 6_000, 20))
    assert verdict(record) == ("partial", "client", ("HIS005",))
    assert record.verdict is not None
    assert record.verdict.place is not None
    assert record.verdict.place.path == "/messages/2/content"


def test_a_header_that_no_rule_lifts_is_named_on_every_request() -> None:
    on = keeper(rules=rule_book(off=["VOL001"]), slots=4)
    rows = [USER]
    for number in range(4):
        system = f"x-anthropic-billing-header: cc_version=2.1.114; cch={number:05d};\nBe brief." + "Rules. " * 100
        record = ask(on, *rows, counts=(0 if number < 1 else 25, 2_000, 20), system=system, tools=TOOLS)
        rows = [*rows, YES, ON]
        if number > 1:
            assert verdict(record) == ("miss", "client", ("VOL001",))
            assert record.parent


def test_a_conversation_that_the_host_cache_did_not_keep_is_named() -> None:
    on = keeper(slots=1)
    ask(on, USER)
    ask(on, {"role": "user", "content": "another"})
    assert verdict(ask(on, USER, YES, ON, counts=(0, 1027, 20))) == ("miss", "server", ("SRV005",))


def test_a_server_that_was_away_in_between_was_started_anew() -> None:
    on = keeper()
    ask(on, USER)
    (Playbook(request(USER, YES, ON), on, HEADERS) << Open >> lost()).commands_seen().over()
    record = ask(on, USER, YES, ON, counts=(0, 1027, 20))
    assert verdict(record) == ("miss", "server", ("SRV004",))
    again = ask(on, USER, YES, ON, counts=(0, 1027, 20))
    assert verdict(again)[2] != ("SRV004",)


def test_after_a_failure_the_conversation_goes_on_from_what_was_answered() -> None:
    on = keeper()
    first = ask(on, USER)
    failed = (Playbook(request(USER, YES, ON), on, HEADERS) << Open >> lost()).commands_seen().over()
    record = ask(on, USER, YES, ON, counts=(1019, 8, 20))
    assert failed.verdict is None
    assert record.parent == first.id
    assert verdict(record) == ("hit", "nobody", ())


def test_a_server_that_reports_nothing_gets_no_verdict() -> None:
    on = keeper("chat")
    silent = b'data: {"choices":[{"delta":{"content":"Yes."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    records = []
    for messages in ([USER], [USER, YES, ON]):
        book = Playbook(request(*messages), on, HEADERS).answer_with(silent)
        records.append(book.over())
    assert verdict(records[1])[0] == "unknown"
    assert records[1].usage.cached_tokens is None


# Texts


def test_texts_are_kept_only_when_asked_for_and_then_all_of_them() -> None:
    for record in (False, True):
        on = keeper(manner=Manner(record=record))
        body = request(USER, {"role": "system", "content": "Note."}, system="Be brief.", tools=TOOLS)
        book = play(body, on, Answer("Yes."))
        (write,) = [command for command in book.commands if isinstance(command, Write)]
        assert (write.recording is not None) is record
        if write.recording is not None:
            received = [text for _, text in write.recording.received]
            assert received == [
                b'"Be brief."',
                b'{"name": "Bash", "input_schema": {}}',
                b'{"role": "user", "content": "hi"}',
                b'{"role": "system", "content": "Note."}',
            ]
            sent = b"".join(text for _, text in write.recording.sent)
            assert all(word in sent for word in (b"Be brief.", b"Bash", b"hi", b"Note."))
            assert write.recording.id == write.record.id


def test_what_a_refusal_said_is_kept_short() -> None:
    book = Playbook(request()) << Open >> opened(500) >> arrived(b"x" * 5_000)
    assert len((book >> ended()).commands_seen().over().error) <= 500


def test_a_request_that_no_server_could_take_has_a_record_too() -> None:
    call = Call("c" * 24, 1.0, {}, b"{}")
    record = unserved(call, "anthropic", "http://127.0.0.1:1")
    assert (record.id, record.status, record.ending, record.received_bytes) == (call.id, 502, "failed", 2)
    assert record.error.startswith("unreachable")


# What an excerpt shows, and what was lost in time


def edited(on: Keeper) -> Verdict:
    """The verdict on a request of which an old turn is another, and much was processed again."""
    secret = {"role": "user", "content": "my secret word 42 is here"}
    other = {"role": "user", "content": "my secret text 43 is here"}
    ask(on, USER, YES, secret, counts=(0, 3000, 20))
    found = ask(on, USER, YES, other, YES, ON, counts=(500, 2800, 20)).verdict
    assert found is not None
    return found


def test_an_excerpt_shows_no_word() -> None:
    verdict = edited(keeper())
    assert verdict.place is not None
    assert verdict.places == (verdict.place,)
    assert (verdict.place.code, verdict.place.path) == ("HIS005", "/messages/2/content")
    said = repr(verdict)
    assert not any(word in said for word in ("secret", "word", "42", "43"))
    assert "xxxxxx xxxx 00" in verdict.place.before


def test_an_excerpt_shows_words_where_texts_are_recorded() -> None:
    verdict = edited(keeper(manner=Manner(record=True)))
    assert verdict.place is not None
    assert "word 42" in verdict.place.before
    assert "text 43" in verdict.place.after


def test_lost_tokens_are_told_in_time() -> None:
    verdict = edited(keeper())
    assert verdict.lost > 0
    assert verdict.lost_ms == pytest.approx(verdict.lost * 12.5 / 2800)


def observed(messages: list[list[Json]], counts: list[tuple[int, int, int]], *, drops: bool, **fields: Any) -> Verdict:
    """The verdict on the last of some requests to a chat server of which no rule mends anything."""
    on = Keeper("chat", dialects(Traits("chat", drops_thinking=drops)), RuleBook(), Journal(), Manner())
    records = [ask(on, *row, counts=count, **fields) for row, count in zip(messages, counts, strict=True)]
    assert records[-1].verdict is not None
    return records[-1].verdict


THOUGHT: Json = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm. " * 60, "signature": "s"}]}


@pytest.mark.parametrize(
    ("drops", "fields", "causes"),
    [
        (True, {}, ("HIS002",)),
        (False, {}, ("SRV001",)),
        # The client tells the template itself.
        (True, {"chat_template_kwargs": {"preserve_thinking": True, "clear_thinking": False}}, ("SRV001",)),
    ],
)
def test_what_the_template_drops_is_known_at_once(drops: bool, fields: Json, causes: tuple[str, ...]) -> None:
    first = [USER, THOUGHT, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}]
    said = observed([first, [*first, YES, ON]], [(0, 1000, 20), (90, 930, 5)], drops=drops, **fields)
    assert (said.causes, said.grade) == (causes, "estimated" if causes == ("HIS002",) else "counted")
    assert said.blame == "server"
    if causes == ("HIS002",):
        assert said.place is not None
        assert said.place.path == "/messages/1"
        assert "template prints the reasoning in messages[1] another way" in said.sentence


def test_of_an_answer_that_broke_off_its_words_are_reckoned_where_something_differs() -> None:
    on = keeper()
    cut = Playbook(request(USER), on).answer_with(chat(Answer("Yes."), counts=Counts(0, 1000, 20, 12.5))).over()
    assert cut.usage.output_tokens == 20
    sent = next(iter(on.journal.lineages())).requests[0]
    words = replace(sent, size=4000, prompt_tokens=1000, answer=replace(Heard("a" * 300), thinking="b" * 100))
    assert _generated(words) == 100
    assert _generated(replace(words, answer=None)) is None
    assert _generated(replace(words, prompt_tokens=None)) is None
