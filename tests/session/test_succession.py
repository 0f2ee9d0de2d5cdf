"""What a new conversation hangs together with: a fork, a summary, a conversation that was cleared, or nothing."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from keepwarm.core.answer import Answer
from keepwarm.core.digest import chain, of_text
from keepwarm.core.prompt import Head, Options
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Step, Trail
from keepwarm.session.succession import NOBODY, Older, older

HEAD = HeadState(b"head", Head(), b"system", b"tools")
KEY = GroupKey("one", "", b"shape")
SUMMARY = "The valves of the pump house were counted and all of them closed."
CLEARED = "<command-name>/clear</command-name>\n<command-message>clear</command-message>"


def trail_of(*turns: str) -> Trail:
    steps: list[Step] = []
    key = b""
    for turn in turns:
        key = chain(key, of_text(turn))
        steps.append(Step(len(steps) + 1, "user", Standing(key, b"", msgspec.json.encode(turn)), len(steps) + 1, 0))
    return Trail((), tuple(steps))


def comes(journal: Journal, key: GroupKey, *turns: str) -> tuple[Lineage, Older]:
    """A request that has not been answered, and what it hangs together with."""
    trail = trail_of(*turns)
    keys = [step.turn.key for step in trail.steps]
    lineage = journal.lineage(journal.group(key), keys[0], b"", (), goes_on=len(keys) > 1)
    return lineage, older(journal, key, lineage, trail)


def answered(journal: Journal, key: GroupKey, *turns: str, text: str = "Yes.") -> Sent:
    """A request of a conversation, and its answer."""
    lineage, _ = comes(journal, key, *turns)
    lineage.count += 1
    trail = trail_of(*turns)
    keys = tuple(step.turn.key for step in trail.steps)
    journal.stand(journal.group(key), lineage, [step.turn for step in trail.steps], HEAD)
    sent = Sent("record", keys, HEAD, Options("m"), answer=Answer(text=text), trail=trail)
    journal.sent(key, lineage, sent)
    return sent


def test_a_stranger_hangs_together_with_nobody() -> None:
    journal = Journal()
    answered(journal, KEY, "hi", text=SUMMARY)
    assert comes(journal, KEY, "something else")[1] == NOBODY
    assert comes(journal, replace(KEY, session="two"), f"So far: {SUMMARY}")[1] == NOBODY
    assert comes(journal, replace(KEY, agent="a7"), f"So far: {SUMMARY}")[1] == NOBODY


def test_a_fork_under_another_id_repeats_turns_that_stand() -> None:
    journal = Journal()
    answered(journal, KEY, "hi", "Yes.", "go on")
    fork, bond = comes(journal, replace(KEY, session="two"), "hi", "Yes.", "another way")
    (origin,) = bond.lineages
    assert (bond.bond, bond.sent, bond.after) == ("fork", None, (origin.id,))
    assert fork.id != origin.id
    assert fork.standing == origin.standing


def test_the_same_words_at_the_beginning_are_no_fork() -> None:
    journal = Journal()
    answered(journal, KEY, "hi", "Yes.", "go on")
    assert comes(journal, replace(KEY, session="two"), "hi")[1] == NOBODY


@pytest.mark.parametrize(
    "words",
    [f"This session is continued. Summary:\n{SUMMARY}\nGo on.", f'quoted "twice"\n\t{SUMMARY}'],
    ids=["summary", "escaped"],
)
def test_a_conversation_that_begins_with_the_last_answer_takes_the_place_of_the_old_one(words: str) -> None:
    journal = Journal()
    sent = answered(journal, KEY, "hi", "Yes.", "Summarise.", text=f"<summary>\n{SUMMARY}\n</summary>")
    _, bond = comes(journal, KEY, words)
    assert (bond.bond, bond.sent) == ("successor", sent)
    assert len(bond.lineages) == 1


def test_also_where_the_summary_was_asked_for_with_another_prompt() -> None:
    journal = Journal()
    sent = answered(journal, KEY, "hi", "Yes.", "go on")
    answered(journal, replace(KEY, shape=b"other"), "hi", "Yes.", "Summarise.", text=SUMMARY)
    assert comes(journal, KEY, f"So far: {SUMMARY}")[1].sent == sent


def test_a_short_line_is_no_summary() -> None:
    journal = Journal()
    answered(journal, KEY, "hi", text="Yes, all of them.")
    assert comes(journal, KEY, "You said: Yes, all of them.")[1] == NOBODY


def test_without_a_session_all_of_the_summary_has_to_be_there() -> None:
    journal, key = Journal(), replace(KEY, session="")
    old = answered(journal, key, "hi", text=f"{SUMMARY}\n{'And what has not been said. ' * 3}")
    answered(journal, key, "hello")
    assert comes(journal, key, f"So far: {SUMMARY}")[1] == NOBODY
    bond = comes(journal, key, f"So far: {SUMMARY}\n{'And what has not been said. ' * 3}")[1]
    assert (bond.bond, bond.sent) == ("successor", old)


def test_after_clear_it_may_be_any_of_the_same_shape() -> None:
    journal = Journal()
    answered(journal, KEY, "hi")
    answered(journal, replace(KEY, session="two"), "hello")
    answered(journal, replace(KEY, session="three", shape=b"other"), "hello")
    _, bond = comes(journal, replace(KEY, session="new"), f"{CLEARED}\nLook.")
    assert (bond.bond, bond.sent, len(bond.after)) == ("successor", None, 2)
    assert comes(Journal(), KEY, CLEARED)[1] == NOBODY


def test_a_conversation_that_has_been_served_is_not_new() -> None:
    journal = Journal()
    answered(journal, KEY, "hi", text=SUMMARY)
    answered(journal, KEY, f"So far: {SUMMARY}")
    assert comes(journal, KEY, f"So far: {SUMMARY}", "Yes.", "go on")[1] == NOBODY
