"""What stands: forks, rewinds and requests side by side, and that all of it is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.prompt import Head, Options
from keepwarm.session import journal as journal_module
from keepwarm.session.journal import TURN_BYTES, Facts, Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing

HEAD = HeadState(b"head", Head(), b"system", b"tools")
KEY = GroupKey("session", "", b"shape")


def chained(words: str) -> tuple[bytes, ...]:
    keys, key = [], b""
    for word in words:
        key = digest.chain(key, digest.of_text(word))
        keys.append(key)
    return tuple(keys)


def tell(
    journal: Journal,
    words: str,
    key: GroupKey = KEY,
    *,
    size: int = 100,
    head: HeadState = HEAD,
    diagnose: str | None = None,
) -> Lineage:
    """A request whose turns are single letters is answered; each turn's text has `size` bytes."""
    keys = chained(words)
    group = journal.group(key)
    lineage = journal.lineage(group, keys[0] if keys else b"", b"", (), goes_on=len(keys) > 1)
    turns = [Standing(one, b"", letter.encode() * size, loose=one) for one, letter in zip(keys, words, strict=True)]
    journal.stand(group, lineage, turns, head)
    journal.sent(key, lineage, Sent(words, keys, head, Options("m", diagnose=diagnose)))
    return lineage


def before(lineage: Lineage, words: str) -> tuple[str, int]:
    sent, shared = lineage.predecessor(chained(words))
    return (sent.record if sent else "", shared)


# Conversations


def test_a_conversation_is_known_by_its_first_turn() -> None:
    journal = Journal()
    first = tell(journal, "abc")
    assert tell(journal, "abcde") is first
    assert tell(journal, "axy") is first
    assert tell(journal, "bcd") is not first
    assert tell(journal, "abc", GroupKey("session", "agent", b"shape")) is not first
    assert tell(journal, "abc", GroupKey("session", "", b"other")).id != first.id


def test_a_request_goes_on_from_the_one_it_shares_most_with() -> None:
    journal = Journal()
    lineage = tell(journal, "abc")
    tell(journal, "abcde")
    assert before(lineage, "abcdefg") == ("abcde", 5)
    tell(journal, "abcxy")  # a fork
    assert before(lineage, "abcxyz") == ("abcxy", 5)
    assert before(lineage, "abcdefg") == ("abcde", 5)
    assert before(lineage, "ab") == ("abcxy", 2)  # a rewind: the latest of those that share as much
    tell(journal, "ab")
    assert before(lineage, "abcdefg") == ("abcde", 5)


def test_an_unknown_conversation_has_no_predecessor() -> None:
    assert before(Lineage("new"), "abc") == ("", 0)


@given(st.lists(st.text("abc", min_size=1, max_size=8).map(lambda words: "a" + words), min_size=1, max_size=30))
def test_at_most_eight_branches_are_compared_with(requests: list[str]) -> None:
    journal = Journal()
    for words in requests:
        lineage = tell(journal, words)
    assert len(lineage.requests) <= 8
    assert lineage.requests[0].record == requests[-1]
    for sent in lineage.requests[1:]:
        assert not requests[-1].startswith(sent.record)


def test_requests_side_by_side_both_stand() -> None:
    journal = Journal()
    lineage = tell(journal, "ab")
    tell(journal, "abcd")
    tell(journal, "abxy")
    assert [sent.record for sent in lineage.requests] == ["abxy", "abcd"]


@given(st.lists(st.text("abcdef", min_size=1, max_size=12), min_size=1, max_size=20))
def test_it_holds_each_distinct_turn_once(requests: list[str]) -> None:
    journal = Journal()
    for words in requests:
        tell(journal, words)
    distinct = {words[: at + 1] for words in requests for at in range(len(words))}
    assert journal.size == 100 * len(distinct) + len(b"systemtools")
    assert sum(lineage.bytes() for lineage in journal.lineages()) == 100 * len(distinct)


def test_equal_heads_are_held_once() -> None:
    journal = Journal()
    for letter in "abcdef":
        big = HeadState(b"k", Head(), bytes(bytearray(b"system" * 100)), bytes(bytearray(b"tools" * 100)))
        tell(journal, letter, head=big)
    heads = [lineage.head for lineage in journal.lineages() if lineage.head is not None]
    assert len(heads) == 6
    assert all(head.system is heads[0].system and head.tools is heads[0].tools for head in heads)


# Bounds

LIMIT = 4 * (100 + TURN_BYTES)
"""Four turns."""


@given(st.lists(st.tuples(st.sampled_from("stuv"), st.text("abcd", min_size=1, max_size=9)), min_size=1, max_size=40))
def test_it_never_holds_more_than_its_limit_or_one_conversation(requests: list[tuple[str, str]]) -> None:
    journal = Journal(LIMIT)
    for session, words in requests:
        lineage = tell(journal, words, GroupKey(session, "", b"shape"))
        held = list(journal.lineages())
        assert sum(one.weight() for one in held) <= max(LIMIT, lineage.weight())
        assert journal.size == sum(one.bytes() for one in held) + len(b"systemtools")
        assert lineage in held, "the one at work is kept"


def test_what_was_used_longest_ago_goes_first() -> None:
    journal = Journal(LIMIT)
    old, kept = (tell(journal, "ab", GroupKey(session, "", b"")) for session in ("old", "kept"))
    tell(journal, "a", GroupKey("new", "", b""))
    assert old not in list(journal.lineages())
    assert kept in list(journal.lineages())
    tell(journal, "abc", GroupKey("kept", "", b""))
    assert [lineage.id for lineage in journal.lineages()][-1] == kept.id


def test_an_answer_may_be_named_as_long_as_its_conversation_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(LIMIT)

    def named(record: str, lineage: Lineage) -> str:
        sent = journal.answered(lineage, record)
        return sent.record if sent else ""

    lineage = tell(journal, "a", diagnose="")
    tell(journal, "ab")
    tell(journal, "abc", diagnose="a")
    elsewhere = tell(journal, "x", GroupKey("other", "", b"shape"))
    assert [named(record, lineage) for record in ("a", "ab", "abc", "?")] == ["a", "", "abc", ""]
    assert [named(record, elsewhere) for record in ("a", "ab", "abc", "x")] == ["a", "", "abc", "x"]
    monkeypatch.setattr(journal_module, "_KEPT_NAMED", 1)
    tell(journal, "abcd", diagnose="abc")
    assert [named(record, elsewhere) for record in ("a", "abcd")] == ["", "abcd"]
    for letter in "klmnop":  # its conversation goes
        tell(journal, letter * 3, GroupKey(letter, "", b"shape"))
    assert lineage not in list(journal.lineages())
    assert named("abcd", elsewhere) == ""


def test_clients_without_a_session_are_bounded_too() -> None:
    journal = Journal(LIMIT)
    for letter in "abcdefghijklmnop":
        tell(journal, letter * 2, GroupKey("", "", b"shape"))
    assert [lineage.bytes() for lineage in journal.lineages()] == [200, 200]


def test_turns_that_hold_no_text_are_bounded_by_their_number() -> None:
    """Towards a server of the client's protocol the client's own bytes go: nothing of them is held."""
    journal = Journal(100 * TURN_BYTES)
    for number in range(50):
        tell(journal, "abcdefghij", GroupKey(str(number), "", b""), size=0)
    assert len(list(journal.lineages())) == 10


def test_facts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_KEPT_FACTS", 3)
    journal = Journal()
    for number in range(5):
        journal.learn(bytes([number]), Facts(b"", "user"))
    assert [journal.facts(bytes([number])) is None for number in range(5)] == [True, True, False, False, False]


# A fork under another session id


def test_a_fork_takes_over_what_stands_and_both_go_on_by_themselves() -> None:
    journal = Journal()
    first = tell(journal, "abc")
    fork = tell(journal, "abcxy", GroupKey("other", "", b"shape"))
    assert fork is not first
    assert before(fork, "abcxyz") == ("abcxy", 5)
    assert set(first.standing) < set(fork.standing)
    assert fork.head == first.head
    tell(journal, "abcde")
    assert before(fork, "abcdef") == ("abcxy", 3)
    assert fork.origin is None, "it is no longer new"


def test_what_a_fork_took_over_counts_and_goes_with_it() -> None:
    journal = Journal(limit=1 << 30)
    tell(journal, "abc", size=100)
    alone = journal.size
    tell(journal, "abcx", GroupKey("other", "", b"shape"), size=100)
    assert journal.size - alone == 400


@pytest.mark.parametrize(
    "key", [GroupKey("other", "agent", b"shape"), GroupKey("other", "", b"other")], ids=["agent", "shape"]
)
def test_neither_another_agent_nor_another_shape_is_a_fork(key: GroupKey) -> None:
    journal = Journal()
    tell(journal, "abc")
    group = journal.group(key)
    assert journal.lineage(group, chained("a")[0], b"", (), goes_on=True).origin is None
