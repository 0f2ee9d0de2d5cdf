"""Markers in whole lives: set where prompts may be rewritten, named where the cache was lost for them."""

from __future__ import annotations

import json

from keepwarm.exchange.commands import Open
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.exchange.marking import faults, mark
from keepwarm.ledger.records import Record
from keepwarm.rules.engine import RuleBook, rule_book
from tests.exchange.playbook import Json, Playbook, arrived, ended, keeper, opened, request

HOUSE = "Rules of the house. " * 300
HI: Json = {"role": "user", "content": "hi"}
TURNS = [HI, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "go"}]


def answer(cached: int, prompt: int) -> bytes:
    usage = {"input_tokens": prompt - cached, "cache_read_input_tokens": cached, "output_tokens": 5}
    content = [{"type": "text", "text": "Yes."}]
    said = {"type": "message", "id": "m", "model": "m", "content": content, "stop_reason": "end_turn", "usage": usage}
    return json.dumps(said).encode()


def asked(on: Keeper, *turns: Json, cached: int, prompt: int, **fields: object) -> tuple[Json, Record]:
    """(what went up, the record) of a request that is not streamed."""
    played = Playbook(request(*turns, stream=False, model="claude-sonnet-4-6", **fields), on).commands_seen()
    for happening in (opened(200, content_type="application/json"), arrived(answer(cached, prompt)), ended()):
        played = (played >> happening).commands_seen()
    (opening,) = [command for command in played.commands if isinstance(command, Open)]
    return json.loads(opening.request.body), played.over()


def test_a_caller_without_markers_gets_them_where_prompts_may_be_rewritten() -> None:
    on = keeper("anthropic", manner=Manner(marks=True))
    sent, record = asked(on, *TURNS, cached=0, prompt=1500, system=HOUSE)
    assert sent["system"] == [{"type": "text", "text": HOUSE, "cache_control": {"type": "ephemeral"}}]
    assert [isinstance(message["content"], list) for message in sent["messages"]] == [True, False, True]
    assert {edit.code for edit in record.edits} == {"MRK003"}


def test_who_is_only_observed_or_reads_no_markers_gets_the_clients_bytes() -> None:
    for manner in (Manner(marks=True, observe=True), Manner()):
        sent, record = asked(keeper("anthropic", manner=manner), HI, cached=0, prompt=1500, system=HOUSE)
        assert sent["system"] == HOUSE
        assert record.edits == ()


def test_a_conversation_that_nobody_marked_is_named_not_blamed_on_the_server() -> None:
    on = keeper("anthropic", manner=Manner(marks=True, observe=True))
    asked(on, HI, cached=0, prompt=1500, system=HOUSE)
    _, record = asked(on, *TURNS, cached=0, prompt=1520, system=HOUSE)
    assert record.verdict is not None
    assert (record.verdict.blame, record.verdict.causes) == ("client", ("MRK003",))
    assert "markers" in record.verdict.sentence


def test_a_marker_on_a_clock_is_named_with_the_clock() -> None:
    on = keeper("anthropic", manner=Manner(marks=True, observe=True))
    for count, minute, prompt in ((1, 1, 1500), (3, 2, 1520)):
        block = {"type": "text", "text": f"{HOUSE}It is 06:0{minute}.", "cache_control": {"type": "ephemeral"}}
        _, record = asked(on, *TURNS[:count], cached=0, prompt=prompt, system=[block])
    assert record.verdict is not None
    assert (record.verdict.blame, record.verdict.causes) == ("client", ("MRK001", "VOL003"))


def test_a_hit_has_nothing_to_say_about_markers() -> None:
    on = keeper("anthropic", manner=Manner(marks=True, observe=True))
    asked(on, HI, cached=0, prompt=1500, system=HOUSE)
    _, record = asked(on, *TURNS, cached=1500, prompt=1520, system=HOUSE)
    assert record.verdict is not None
    assert (record.verdict.outcome, record.verdict.causes) == ("hit", ())


def test_a_body_that_is_no_request_is_left_alone() -> None:
    assert mark(b"[]", rule_book(), "m") == (b"[]", ())
    assert faults(b"[]", b"[]", rule_book(), "m", ()) == ()


def test_without_a_rule_in_force_nothing_is_marked() -> None:
    body = request(HI, system=HOUSE)
    assert mark(body, RuleBook(), "claude-sonnet-4-6") == (body, ())
    assert mark(body, rule_book(off=["MRK003"]), "claude-sonnet-4-6") == (body, ())
