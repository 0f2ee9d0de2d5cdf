"""The least that a request can cost."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.testing.scenarios.ideal import IN_COMMON, in_common, kept
from keepwarm.testing.scenarios.scenario import Client, Scenario
from tests.testing.test_accounts import exchange

ROW = [exchange("a", 100 * number, 0, 100 * number + 10) for number in range(1, 20)]


def kept_of(name: str, went: tuple[int, ...] = ()) -> list[int]:
    client = Client(Scenario((name,)))
    return [kept(client, ask.number, ROW, went) for ask in client.plan.asks]


def test_what_was_sent_and_answered_is_kept_whatever_can_be_mended() -> None:
    held = [0, 110, 210, 310, 410, 510, 610, 710]
    for name in ("clean", "VOL001-each", "HIS001-moved", "HIS003-rewritten", "ORD001-each", "SEA001-helpers"):
        assert kept_of(name)[:2] == held[:2]
    assert kept_of("HIS001-moved") == held


def test_what_cannot_be_mended_is_kept_up_to_its_place() -> None:
    assert kept_of("HIS005-opening") == [0, 110, 210, 310, IN_COMMON, 510, 610, 710]
    assert kept_of("HIS005-compacted")[5] == IN_COMMON


def test_another_model_and_another_replica_have_what_they_had() -> None:
    assert kept_of("KEY001-model")[4] == 0
    assert kept_of("SEA002-replicas", went=(0, 1) * 4) == [0, 0, 110, 210, 310, 410, 510, 610]


def test_a_turn_that_is_read_otherwise_than_generated_is_kept_up_to_its_answer() -> None:
    assert kept_of("HIS008-pieces")[4] == 400


def test_a_fork_is_a_conversation_of_its_own_and_a_rewind_is_not() -> None:
    fork = Client(Scenario(("clean-fork",)))
    first = next(ask.number for ask in fork.plan.asks if ask.session == "two")
    assert kept(fork, first, ROW) == 0
    assert kept_of("clean-rewind")[4] == 210


def test_a_cut_answer_is_kept_as_far_as_it_came() -> None:
    row = [replace(one, held_tokens=one.held_tokens - 5) for one in ROW]
    client = Client(Scenario(("HIS007-cut",)))
    assert kept(client, 5, row) == 505


def test_what_two_rows_share() -> None:
    assert [in_common("abc", "abd"), in_common("abc", "abcd"), in_common("", "a")] == [2, 3, 0]
