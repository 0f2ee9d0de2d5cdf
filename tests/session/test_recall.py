"""What the server generated: found by calls or by text, each answer once, bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.answer import Answer, Call
from keepwarm.session.lineage import GroupKey
from keepwarm.session.recall import Answers, Recollection

KEY = GroupKey("session", "", b"shape")
OTHER = GroupKey("another", "", b"shape")
LONG_ID = "toolu_0123456789abcdef01234567"


def answer(text: str = "", *ids: str, thinking: str = "", arguments: str = "{}") -> Answer:
    return Answer(text, thinking, calls=tuple(Call(one, one, "Bash", arguments) for one in ids))


def test_an_answer_is_found_by_its_calls_or_else_by_its_text() -> None:
    answers = Answers()
    with_call, without = answer("I look.", LONG_ID, "f" + LONG_ID), answer("Done.\n", thinking="So.")
    answers.remember(KEY, with_call)
    answers.remember(KEY, without)
    memory = Recollection(answers, KEY)
    assert memory.by_call(LONG_ID) is memory.by_call("f" + LONG_ID) is with_call
    assert memory.by_text("I look.") is None
    assert memory.by_text(" Done.") is without
    assert Recollection(answers, OTHER).by_text("Done.") is None


def test_an_id_that_a_server_uses_again_names_nothing() -> None:
    """On the byte path the client has the server's own ids, and `call_0` stands in every turn."""
    answers = Answers()
    answers.remember(KEY, answer("", "call_0", LONG_ID))
    assert answers.by_call("call_0") is None
    assert answers.by_call(LONG_ID) is not None


def test_bytes_are_bounded_and_the_oldest_goes_first() -> None:
    answers = Answers(limit=1_000)
    for number in range(50):
        answers.remember(KEY, answer(f"{number:0100}"))
    found = [answers.by_text(KEY, f"{number:0100}") is not None for number in range(50)]
    assert found == [False] * 40 + [True] * 10


def test_an_answer_that_comes_again_is_held_once() -> None:
    """A gateway runs for weeks, and agents say "Done." many times."""
    answers = Answers(limit=1_000)
    for _ in range(100):
        answers.remember(KEY, answer("Done.", thinking="x" * 50))
        answers.remember(KEY, answer("", LONG_ID, arguments="x" * 50))
        answers.remember(KEY, answer("", thinking="thought and said nothing"))
    assert len(answers) == 2
    assert answers.by_text(KEY, "Done.") is not None
    assert answers.by_call(LONG_ID) is not None


def test_conversations_that_say_the_same_each_mean_their_own() -> None:
    answers = Answers()
    mine, yours = answer("Done.", thinking="mine"), answer("Done.", thinking="yours")
    answers.remember(KEY, mine, b"my turns")
    answers.remember(KEY, yours, b"your turns")
    assert Recollection(answers, KEY, b"my turns").by_text("Done.") is mine
    assert Recollection(answers, KEY, b"your turns").by_text("Done.") is yours
    assert Recollection(answers, KEY, b"rewritten turns").by_text("Done.") is yours
    answers.remember(KEY, mine, b"your turns")  # asked again
    assert len(answers) == 2


ids = st.sampled_from([f"toolu_0123456789abcdef0123456{digit}" for digit in "0123"])
any_answer = st.builds(
    answer, st.sampled_from(["", "a", "b", "cc"]), ids, thinking=st.sampled_from(["", "t"])
) | st.builds(answer, st.sampled_from(["", "a", "b", "cc"]))


@given(st.lists(st.tuples(st.sampled_from([KEY, OTHER]), any_answer), max_size=30), st.integers(1, 5))
def test_the_latest_of_a_name_is_found_and_no_more_are_held_than_may_be(
    told: list[tuple[GroupKey, Answer]], count: int
) -> None:
    answers = Answers(count)
    for key, one in told:
        answers.remember(key, one)
        assert len(answers) <= count
        for call in one.calls:
            assert answers.by_call(call.id) is one
        if not one.calls and one.text:
            assert answers.by_text(key, one.text) is one
