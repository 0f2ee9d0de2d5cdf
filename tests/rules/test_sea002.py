"""One key for a balancer, and a turn that another replica answered is the seat's fault."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.exchange.keeper import Manner
from keepwarm.exchange.routing import Ways
from keepwarm.rules.key002 import Route
from keepwarm.rules.sea002 import HEADERS, pin, replica_of
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from tests.exchange.playbook import Playbook, arrived, chat, ended, keeper, opened, request

headers = st.lists(st.sampled_from((*HEADERS, "X-Session-Id", "authorization")), unique=True, max_size=3)


@given(headers, headers)
def test_pinned_twice_changes_nothing_more_and_what_is_there_stands(there: list[str], names: list[str]) -> None:
    route = Route((), tuple((name, "mine") for name in there))
    once = pin(route, names, "k")
    assert pin(once, names, "k") is once
    assert once.headers[: len(there)] == route.headers
    assert {name.lower() for name, _ in once.headers} == {name.lower() for name in (*there, *names)}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_headers_of_another_kind_name_nobody(said: dict[str, str]) -> None:
    assert replica_of(said) == ""


def test_the_most_exact_word_counts_and_none_is_longer_than_a_line() -> None:
    assert replica_of({"x-served-by": "nginx-1", "x-smg-routed-worker-id": " http://w1 "}) == "http://w1"
    assert len(replica_of({"x-replica": "r" * 5000})) == 200


def test_another_replica_is_named_when_the_cache_was_not_there() -> None:
    on = keeper("chat")
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "go"},
    ]
    verdicts = []
    for count, worker, counts in ((1, "w1", Counts(0, 5000, 5, 1.0)), (3, "w2", Counts(0, 5010, 5, 1.0))):
        played = Playbook(request(*turns[:count]), on).commands_seen()
        for happening in (
            opened(200, x_smg_routed_worker_id=worker),
            arrived(chat(Answer("Yes."), counts=counts)),
            ended(),
        ):
            played = (played >> happening).commands_seen()
        record = played.over()
        assert record.seat is not None
        assert record.seat.replica == worker
        verdicts.append(record.verdict)
    verdict = verdicts[1]
    assert verdict is not None
    assert (verdict.blame, verdict.causes) == ("seat", ("SEA002",))
    assert "w2 after w1" in verdict.sentence


def test_the_key_is_sent_and_the_clients_own_header_stands() -> None:
    ways = Ways("models.example", headers=HEADERS)
    on = keeper("anthropic", manner=Manner(ways=ways))
    played = Playbook(request(), on, {"x-session-id": "mine"})
    (opening,) = [command for command in played.commands if hasattr(command, "request")]
    said = dict(opening.request.headers)
    assert said["x-session-id"] == "mine"
    assert said["x-smg-routing-key"] == said["x-session-affinity"] != "mine"
    observed = Playbook(request(), keeper("anthropic", manner=Manner(observe=True, ways=ways)), {})
    (opening,) = [command for command in observed.commands if hasattr(command, "request")]
    assert opening.request.headers == ()
