"""Branches of one conversation: which one a request belongs to, and when two of them go on."""

from __future__ import annotations

from keepwarm.core.digest import chain, of_text
from keepwarm.core.prompt import Head, Options
from keepwarm.core.sketch import Mark
from keepwarm.session.branches import Branch, branch_of
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Step, Trail

HEAD = HeadState(b"head", Head(), b"system", b"tools")
KEY = GroupKey("", "", b"shape")


def trail_of(words: str) -> Trail:
    """One turn of one message for each word."""
    steps: list[Step] = []
    key = b""
    for word in words.split():
        key = chain(key, of_text(word))
        # "u0" and "u0'" say the same in other ways.
        mark = Mark("text", 0, 0, "/content", of_text(word), of_text(word.rstrip("'")))
        steps.append(Step(len(steps) + 1, "user", Standing(key, b"", b"", marks=(mark,)), len(steps) + 1, 0))
    return Trail((), tuple(steps))


class Talk:
    """One lineage without a session's name."""

    def __init__(self) -> None:
        self.journal = Journal()
        first = trail_of("u0").steps[0].turn.key
        self.lineage: Lineage = self.journal.lineage(self.journal.group(KEY), first, b"", (), goes_on=False)

    def comes(self, words: str) -> Branch:
        """A request, which is answered; the branch that it was found to be of."""
        trail = trail_of(words)
        keys = tuple(step.turn.key for step in trail.steps)
        found = branch_of(self.lineage, keys, trail)
        branch = "" if found.name == self.lineage.id else found.name
        self.journal.sent(KEY, self.lineage, Sent(words, keys, HEAD, Options("m"), trail=trail, branch=branch))
        return found

    def names(self, *requests: str) -> list[bool]:
        """Of each request, whether it is of the first branch."""
        return [self.comes(words).name == self.lineage.id for words in requests]


def test_a_conversation_that_goes_straight_on_has_one_branch() -> None:
    talk = Talk()
    assert talk.comes("u0") == Branch(talk.lineage.id, [])
    assert talk.names("u0 a0 u1", "u0 a0 u1 a1 u2") == [True] * 2


def test_a_rewind_is_no_branch_of_its_own() -> None:
    talk = Talk()
    row = "u0", "u0 a0 u1", "u0 a0 u1 a1 u2", "u0 a0 x1", "u0 a0 x1 b1 x2", "u0 a0 y1", "u0 a0 y1 c1 y2"
    assert talk.names(*row) == [True] * len(row)
    assert not any(sent.branch for sent in talk.lineage.requests)


def test_both_branches_of_a_fork_go_on_when_the_one_left_goes_on_from_its_end() -> None:
    talk = Talk()
    talk.names("u0", "u0 a0 u1", "u0 a0 x1")
    found = talk.comes("u0 a0 u1 a1 u2")
    assert found.parted == talk.lineage.id != found.name
    assert [sent.record for sent in found.requests] == ["u0 a0 u1"]
    again = talk.comes("u0 a0 u1 a1 u2 a2 u3")
    assert (again.name, again.parted) == (found.name, "")
    other = talk.comes("u0 a0 x1 b1 x2")
    assert (other.name, other.parted) == (talk.lineage.id, "")
    assert [sent.record for sent in other.requests] == ["u0 a0 x1"]


def test_a_branch_may_be_forked_again() -> None:
    talk = Talk()
    talk.names("u0", "u0 a0 u1", "u0 a0 x1")
    second = talk.comes("u0 a0 u1 a1 u2")
    talk.names("u0 a0 u1 a1 y2")
    third = talk.comes("u0 a0 u1 a1 u2 a2 u3")
    assert third.parted == second.name
    assert len({talk.lineage.id, second.name, third.name}) == 3


def test_a_rewind_in_a_branch_stays_in_it() -> None:
    talk = Talk()
    talk.names("u0", "u0 a0 u1", "u0 a0 x1")
    second = talk.comes("u0 a0 u1 a1 u2")
    talk.names("u0 a0 x1 b1 x2")
    found = talk.comes("u0 a0 u1 a1 z2")
    assert (found.name, found.parted) == (second.name, "")
    assert found.requests[0].record == "u0 a0 u1 a1 u2"


def test_an_early_turn_that_is_edited_back_and_forth_makes_no_branches() -> None:
    talk = Talk()
    row = ["u0", "v0 a0 u1", "u0 a0 u1 a1 u2", "v0 a0 u1 a1 u2 a2 u3", "u0 a0 u1 a1 u2 a2 u3 a3 u4"]
    assert talk.names(*row) == [True] * len(row)


def test_nor_do_answers_that_are_written_anew_each_time() -> None:
    talk = Talk()
    row = ["u0", "u0 a0 u1", "u0 a0' u1' a1 u2", "u0 a0 u1 a1' u2 a2 u3", "u0 a0' u1' a1 u2 a2' u3 a3 u4"]
    assert talk.names(*row) == [True] * len(row)


def test_a_fork_under_another_sessions_id_is_one_lineage_as_it_comes() -> None:
    talk = Talk()
    talk.names("u0", "u0 a0 u1", "u0 a0 x1", "u0 a0 u1 a1 u2")
    other = Lineage("other")
    other.go_on_from(talk.lineage)
    assert not any(sent.branch for sent in other.requests)
    trail = trail_of("u0 a0 u1 a1 u2 a2 u3")
    found = branch_of(other, tuple(step.turn.key for step in trail.steps), trail)
    assert (found.name, found.parted) == ("other", "")
