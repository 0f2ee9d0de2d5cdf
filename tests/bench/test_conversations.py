"""The bodies of the benchmarks are what an agent sends: growing, with one mark that moves and a changing header."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from bench.conversations import MARKER, Conversation
from bench.replies import EVENTS, GENERATED, Speech, answer
from keepwarm.core.answer import AnswerCollector
from keepwarm.exchange.turns import TurnMaker
from keepwarm.rules.engine import rule_book
from keepwarm.session.journal import Journal
from keepwarm.session.lineage import GroupKey
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialect
from keepwarm.wire.fronts import FRONTS

CALL_ID = "toolu_0123456789abcdef01234567"
SPEECHES: tuple[Speech, ...] = ("llamacpp", "anthropic")


def bare(message: dict[str, Any]) -> Any:
    """A message without its mark and in one shape."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return message["role"], [{k: v for k, v in block.items() if k != "cache_control"} for block in blocks]


@pytest.mark.parametrize("speech", SPEECHES)
def test_each_body_goes_on_from_the_one_before(speech: Speech) -> None:
    talk = Conversation("seed", 500, speech)
    bodies = []
    for _ in range(9):
        body = talk.body()
        assert abs(len(body) - talk.size) < 1_000
        bodies.append(json.loads(body))
        talk.grow()
    for before, after in pairwise(bodies):
        old, new = ([bare(message) for message in body["messages"]] for body in (before, after))
        assert new[: len(old)] == old
        assert [role for role, _ in new[len(old) :]][:2] == ["assistant", "user"]
        assert before["system"][0] != after["system"][0]
        assert (before["system"][1:], before["tools"]) == (after["system"][1:], after["tools"])
    for body in bodies:
        assert json.dumps(body["messages"]).count("cache_control") == 1


def heard(speech: Speech, call_id: str, size: int = 4_000) -> AnswerCollector:
    """The stub's answer, read."""
    reader, collector = dialect(Traits(speech)).reader(True), AnswerCollector()
    parts = answer(speech, call_id.encode(), size)
    assert len(parts) == EVENTS
    for event in [*reader.feed(b"".join(parts)), *reader.finish()]:
        collector.feed(event)
    return collector


@pytest.mark.parametrize("speech", SPEECHES)
def test_the_stub_generates_what_comes_back_rewritten(speech: Speech) -> None:
    """So that the rules have to do here what they have to do in life."""
    talk = Conversation("seed", 500, speech)
    asked = talk.body().rsplit(MARKER.encode(), 1)[1][: len(CALL_ID)].decode()
    said = heard(speech, asked)
    assert (said.answer.calls[0].id, said.answer.calls[0].arguments) == (asked, GENERATED)
    assert said.usage.prompt_tokens == 1_000
    talk.grow()
    journal, front = Journal(), FRONTS["anthropic"]
    group = journal.group(GroupKey("session", "", b""))
    journal.answers.remember(group.key, said.answer)
    raws = front.parse(talk.body()).messages_raw
    turns = TurnMaker(journal, rule_book(), dialect(Traits(speech)), front, group, raws).run()
    assert [note.code for note in turns.notes if note.code.startswith("HIS")] == ["HIS003"]
