"""Verdicts made exact: what the server is asked, and what becomes of the verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.core.diff import common_prefix
from keepwarm.exchange.commands import Answered
from keepwarm.exchange.exact import Inquiry
from keepwarm.exchange.life import Life
from keepwarm.ledger.records import Verdict
from keepwarm.ledger.verdict import SLACK
from keepwarm.testing.answers import Answer
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.simulation import Simulation
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.upstream.api import Outgoing
from tests.exchange.playbook import Playbook, chat, keeper, request
from tests.exchange.telling import OFF, SYSTEM, TOKEN, YES, Talk, Telling, asked, dropped, edited, inquire, user

Json = dict[str, Any]
PLAYABLE = [
    (name, shape)
    for name, one in INJECTIONS.items()
    for shape in one.shapes
    if one.server not in ("models", "replicas", "hoisting") and one.code not in ("SEA001", "HIS008")
]


# In all scenarios


@pytest.mark.parametrize(("name", "shape"), PLAYABLE)
def test_what_is_told_is_how_far_two_prompts_are_the_same(
    name: str, shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.testing.scenarios.simulation.rule_book", lambda: OFF)
    simulation = Simulation(Scenario((name,), shape=shape), Setting())
    for ask in simulation.client.plan.asks:
        simulation.send(ask)
    numbers = {life.story.call.id: number for number, life in enumerate(simulation.lives)}
    for number, life in enumerate(simulation.lives):
        if life.question is None:
            continue
        verdict, never = inquire(life.question, Telling())
        first, case = life.question.record.verdict, life.question.case
        assert not never
        assert verdict is not None
        assert first is not None
        assert case.before is not None
        exchanges = simulation.server.exchanges
        new, old = exchanges[number].prompt, exchanges[numbers[life.question.sent.record]].prompt
        shared = common_prefix(new, old) // TOKEN
        assert verdict.grade == "exact"
        assert verdict.shared == shared
        assert verdict.expected is not None
        assert verdict.actual is not None
        assert verdict.expected >= verdict.actual
        # Of another conversation only the head counts, and how long that is was an estimate.
        assert verdict.lost == first.lost or verdict.outcome == "hit" or case.before.sibling
        if verdict.blame == "client" and shared < exchanges[number].prompt_tokens:
            assert verdict.causes or name == "clean-rewind"


# A server that was started anew


def test_a_server_whose_tasks_are_numbered_anew_was_started_anew() -> None:
    life, server = dropped(), Telling()
    first = asked(life).record.verdict
    assert first is not None
    assert (first.blame, first.causes) == ("server", ("SRV001",))
    server.tasks = [0]
    verdict, never = inquire(asked(life), server)
    assert server.asked[0] == "/slots"
    assert not never
    assert verdict is not None
    assert (verdict.outcome, verdict.blame, verdict.causes, verdict.grade) == ("miss", "server", ("SRV004",), "exact")


def test_one_that_numbers_them_on_was_not() -> None:
    life, server = dropped(), Telling()
    server.tasks = [90]
    verdict, _ = inquire(asked(life), server)
    assert server.asked[:2] == ["/slots", "/metrics"]
    assert verdict is not None
    assert verdict.causes == ("SRV001",)


def test_what_its_counters_show_counts_where_it_tells_no_tokens() -> None:
    life = dropped()
    inquiry = Inquiry(replace(asked(life), exact=False))
    steps = inquiry.run()
    assert next(steps).request.path == "/slots"
    with pytest.raises(StopIteration) as over:
        steps.send(Answered(200, b'[{"id":0,"id_task":0}]', 0.0))
    assert inquiry.anew
    verdict = over.value.value
    assert (verdict.causes, verdict.grade) == (("SRV004",), "counted")


def test_what_the_client_has_changed_is_no_reason_to_ask_for_it() -> None:
    assert asked(edited()).tally is None


# What is asked


def test_llama_cpp_renders_and_tokenises_both_prompts() -> None:
    life, server = edited(), Telling()
    verdict, never = inquire(asked(life), server)
    assert server.asked == ["/apply-template", "/tokenize"] * 2
    assert not never
    assert verdict is not None
    assert (verdict.outcome, verdict.blame, verdict.grade) == ("partial", "client", "exact")
    assert verdict.causes == ("HIS005",)
    assert verdict.place is not None
    assert verdict.place.path == "/messages/2/content"
    now, before = server.bodies[0]["messages"], server.bodies[2]["messages"]
    assert (len(now), len(before)) == (6, 4)
    assert now[:3] == before[:3]
    assert before[3]["content"] == "the old turn " * 120


def test_vllm_renders_the_very_request() -> None:
    life, server = edited("chat"), Telling("vllm")
    verdict, _ = inquire(asked(life), server)
    assert server.asked == ["/v1/chat/completions/render"] * 2 + ["/detokenize"] * 3
    assert verdict is not None
    assert (verdict.grade, verdict.causes) == ("exact", ("HIS005",))


def test_vllm_without_it_tokenises_messages() -> None:
    life, server = edited("chat"), Telling("tokenize")
    verdict, _ = inquire(asked(life), server)
    assert server.asked[:3] == ["/v1/chat/completions/render", "/tokenize", "/tokenize"]
    assert verdict is not None
    assert verdict.grade == "exact"


def test_a_messages_server_is_asked_about_messages() -> None:
    life, server = edited("anthropic"), Telling("vllm")
    verdict, _ = inquire(asked(life), server)
    assert server.asked[:2] == ["/v1/messages/render"] * 2
    assert verdict is not None
    assert (verdict.grade, verdict.causes) == ("exact", ("HIS005",))


def test_a_messages_server_that_cannot_is_not_asked_in_another_protocol() -> None:
    """llama.cpp's /apply-template takes no Messages body, and another rendering would not be the very prompt."""
    life, server = edited("anthropic"), Telling()
    assert inquire(asked(life), server) == (None, True)
    assert server.asked == ["/v1/messages/render"]


def test_it_is_asked_with_the_clients_key_and_without_a_slot() -> None:
    on = keeper("llamacpp", rules=OFF, slots=2)
    for text in ("the first turn " * 40, "another turn " * 40):
        headers = {"x-api-key": "secret", "x-claude-code-session-id": "s"}
        messages = [user(text), YES, user("go on")]
        book = Playbook(request(*messages, system=SYSTEM), on, headers).answer_with(chat(Answer("Yes.")))
    steps = Inquiry(asked(book.life)).run()
    question = next(steps).request
    assert ("authorization", "Bearer secret") in question.headers
    assert "id_slot" not in json.loads(question.body)


# What is claimed


def test_nothing_is_claimed_where_the_ids_are_not_as_many_as_the_server_counted() -> None:
    server = Telling()
    server.rewrite[0] = ("You are an agent", "You are no agent at all")
    assert inquire(asked(edited()), server) == (None, False)
    server = Telling()
    server.rewrite[1] = ("You are an agent", "You are no agent at all")
    assert inquire(asked(edited()), server) == (None, False)


@pytest.mark.parametrize(("status", "never"), [(404, True), (403, True), (501, True), (0, False), (503, False)])
def test_a_server_that_cannot_is_not_asked_again_and_one_that_is_busy_is(status: int, never: bool) -> None:
    assert inquire(asked(edited()), Telling(refuses=status)) == (None, never)


def lossy() -> Life:
    """The client only went on, and the server had dropped most of it."""
    talk = Talk()
    talk.ask(user("the first turn " * 40))
    return talk.ask(user("the first turn " * 40), YES, user("on"), cached=100)


def test_that_the_server_dropped_it_is_told_where_the_template_has_no_clock() -> None:
    server = Telling()
    verdict, _ = inquire(asked(lossy()), server)
    assert server.asked[-1] == "/props"
    assert verdict is not None
    assert (verdict.blame, verdict.grade, verdict.causes) == ("server", "exact", ("SRV001",))
    assert inquire(asked(lossy()), Telling(template="{{ strftime_now('%d') }}")) == (None, False)


def test_both_to_blame_the_greater_loss_comes_first() -> None:
    """The prompt parts late, and of what stood in front of it the server had dropped more, or less."""
    for cached, blame, causes in ((10, "server", ("SRV001", "HIS005")), (420, "client", ("HIS005", "SRV001"))):
        verdict, _ = inquire(asked(edited(told=cached)), Telling())
        assert verdict is not None
        assert (verdict.blame, verdict.causes) == (blame, causes)
        assert verdict.shared is not None
        assert "processed again" in verdict.sentence or "reused 10" in verdict.sentence


@pytest.mark.parametrize(("old", "new", "causes"), [("agent. You", "agent! You", ()), ("at 06", "at 07", ("VOL003",))])
def test_a_template_that_prints_the_same_words_otherwise_is_the_servers(old: str, new: str, causes: Any) -> None:
    talk = Talk()
    fields: Json = {"system": f"It is at 06 o'clock. {SYSTEM}"}
    talk.ask(user("the first turn " * 40), **fields)
    life = talk.ask(user("the first turn " * 40), YES, user("go on"), cached=8, **fields)
    server = Telling()
    server.rewrite[0] = (old, new)
    verdict, _ = inquire(asked(life), server)
    assert verdict is not None
    assert (verdict.blame, verdict.grade, verdict.causes) == ("server", "exact", causes)
    assert "chat template prints" in verdict.sentence


THOUGHT = "First the file, then the test, and then all the rest of it."


@pytest.mark.parametrize(("gone", "causes"), [(THOUGHT, ("HIS002",)), ("A word that was said.", ())])
def test_a_template_that_drops_reasoning_that_was_sent_is_told(gone: str, causes: Any) -> None:
    thought = {"type": "thinking", "thinking": THOUGHT, "signature": "none"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "A word that was said."}]}
    talk, server = Talk("anthropic"), Telling("vllm")
    head = talk.ask(user("begin")).story.usage.prompt_tokens
    talk.ask(user("begin"), said, user("another " * 80))
    life = talk.ask(user("begin"), said, user("another " * 80), YES, user("go on"), cached=head)
    server.rewrite[0] = (gone, "-" * len(gone))
    verdict, _ = inquire(replace(asked(life), tally=None), server)
    assert verdict is not None
    assert (verdict.blame, verdict.grade, verdict.causes) == ("server", "exact", causes)


def test_the_head_of_another_conversation_is_counted_by_itself() -> None:
    on = keeper("llamacpp", rules=OFF)
    talk = Talk(on=on)
    talk.ask(user("one conversation " * 40), system=f"{SYSTEM} a. {SYSTEM}")
    life = talk.ask(user("the second one " * 40), system=f"{SYSTEM} b. {SYSTEM}", tools=[])
    question, server = asked(life), Telling()
    assert question.case.before is not None
    assert question.case.before.sibling
    verdict, _ = inquire(question, server)
    assert len(server.asked) == 6
    assert verdict is not None
    assert (verdict.outcome, verdict.grade) == ("partial", "exact")
    head = len(f"<system>{SYSTEM} a. {SYSTEM}\n<user>") // TOKEN
    assert verdict.had == head
    assert verdict.lost == head - (verdict.actual or 0)
    assert abs((verdict.shared or 0) - len(f"<system>{SYSTEM} ") // TOKEN) <= 1


# When it is asked


def test_only_where_it_says_more_than_counts_do() -> None:
    talk = Talk()
    assert talk.ask(user("hello")).question is None
    assert talk.ask(user("hello"), YES, user("go on")).question is None, "a hit, by counts"
    assert talk.ask(user("hello"), YES, user("something else")).question is not None, "a hit, by an estimate"


def test_ids_of_two_models_are_not_compared() -> None:
    talk = Talk()
    talk.ask(user("the first turn " * 40))
    life = talk.ask(user("the first turn " * 40), YES, user("go on"), cached=0, model="another")
    assert life.story.case is not None
    assert life.question is None


@given(st.lists(st.tuples(st.sampled_from([0, 200, 404, 503]), st.binary(max_size=40)), min_size=12, max_size=12))
def test_whatever_comes_back_it_ends(answers: list[tuple[int, bytes]]) -> None:
    """In a better verdict or in none, and with no more than a dozen questions."""

    class Noise(Telling):
        def answer(self, request: Outgoing) -> tuple[int, bytes]:
            super().answer(request)
            return answers[len(self.asked) - 1]

    verdict, _ = inquire(asked(edited()), Noise())
    assert verdict is None or isinstance(verdict, Verdict)


def test_the_slack_is_that_of_the_counts() -> None:
    verdict, _ = inquire(asked(edited()), Telling())
    assert verdict is not None
    assert verdict.shared is not None
    assert verdict.actual is not None
    assert abs(verdict.shared - verdict.actual) <= SLACK
