"""The verdict on one request: what could be reused, what was, and whose fault the difference is."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.core.diff import Difference
from keepwarm.core.events import Usage
from keepwarm.ledger.records import Place, Verdict
from keepwarm.ledger.verdict import SLACK, HeadElsewhere, Predecessor, Scene, Suspect
from keepwarm.ledger.verdict import judge as judge_suspects

NONE: Final = Difference("none")
HEADER: Final = Difference(
    "system",
    "/system/0/text",
    "system[0]",
    "x-anthropic-billing-header: cch=0a1b2;",
    "x-anthropic-billing-header: cch=9f8e7;",
    32,
    "changed",
)
BEFORE: Final = Predecessor(prompt_tokens=10_000, output_tokens=200, share=1.0, replayed=True)
PARTED: Final = replace(BEFORE, share=0.01)


def judge(
    usage: Usage, before: Predecessor | None, difference: Difference, causes: tuple[str, ...] = (), *, moved: str = ""
) -> Verdict:
    """The verdict where the two requests differ in one place at the most."""
    share = before.share if before is not None else 0.0
    suspects = () if difference.where == "none" else (Suspect(replace(difference, share=share, most=share), causes),)
    return judge_suspects(usage, before, suspects, Scene(moved))


def usage(cached: int | None, prompt: int | None = 10_500) -> Usage:
    return Usage(prompt, cached, 50)


def gist(verdict: Verdict) -> tuple[str, str, str, int]:
    return verdict.outcome, verdict.blame, verdict.grade, verdict.lost


# The first of its conversation


@pytest.mark.parametrize(("cached", "grade"), [(0, "counted"), (4_000, "counted"), (None, "unknown")])
def test_the_first_request_blames_nobody(cached: int | None, grade: str) -> None:
    verdict = judge(usage(cached), None, NONE)
    assert gist(verdict) == ("first", "nobody", grade, 0)
    assert (verdict.expected, verdict.actual) == (0, cached)
    assert ("4,000 tokens of it from others" in verdict.sentence) == (cached == 4_000)


@pytest.mark.parametrize(
    ("head", "cached", "words"),
    [
        (HeadElsewhere(), 0, ": nothing of it could be cached yet."),
        (HeadElsewhere(9_000, 1), 9_000, "; the server had 9,000 tokens of it from a copy of slot 1."),
        (HeadElsewhere(10, 1, unsure=True), 9_000, "; the server had 9,000 tokens of it from a copy of slot 1."),
        (HeadElsewhere(0, 1, unsure=True), 0, "."),  # nor is it known that nothing could be
        (
            HeadElsewhere(9_000, 1, "it was at work"),
            0,
            ". About 9,000 tokens of its head stood in slot 1, that of another conversation: it was at work.",
        ),
    ],
)
def test_of_the_first_request_it_is_told_where_its_head_stood(head: HeadElsewhere, cached: int, words: str) -> None:
    verdict = judge_suspects(usage(cached), None, (), Scene(head=head))
    assert verdict.sentence == "The first request of its conversation" + words


# Nothing was changed


@pytest.mark.parametrize("cached", [10_200, 10_200 - SLACK, 10_400])
def test_all_that_was_there_was_reused(cached: int) -> None:
    verdict = judge(usage(cached), BEFORE, NONE)
    assert gist(verdict) == ("hit", "nobody", "counted", 0)
    assert verdict.expected == 10_200
    assert verdict.causes == ()


def test_the_server_dropped_what_it_had() -> None:
    verdict = judge(usage(4_000), BEFORE, NONE)
    assert gist(verdict) == ("partial", "server", "counted", 6_200)
    assert verdict.causes == ("SRV001",)
    assert "10,200" in verdict.sentence
    assert "4,000" in verdict.sentence
    assert judge(usage(0), BEFORE, NONE).outcome == "miss"
    assert judge(usage(1_019), BEFORE, NONE).outcome == "miss"
    assert judge(usage(1_020), BEFORE, NONE).outcome == "partial"


def test_the_slot_was_used_by_another() -> None:
    verdict = judge(usage(0), BEFORE, NONE, moved="a title call sat in it")
    assert gist(verdict) == ("miss", "seat", "counted", 10_200)
    assert verdict.causes == ("SEA001",)
    assert "a title call sat in it" in verdict.sentence


def test_the_answer_before_reads_another_way_than_it_was_generated() -> None:
    verdict = judge(usage(10_010), BEFORE, NONE)
    assert gist(verdict) == ("partial", "server", "counted", 190)
    assert verdict.causes == ("HIS008",)
    assert "the answer before reads another way" in verdict.sentence


def test_among_system_messages_only_what_begins_behind_the_prompt_is_the_answers() -> None:
    inline = Scene(slotted=False, block=32, inline="/messages/4")
    verdict = judge_suspects(usage(9_920), BEFORE, (), inline)
    assert (verdict.causes, verdict.blame) == (("ROL001",), "client")
    verdict = judge_suspects(usage(9_968), BEFORE, (), inline)
    assert (verdict.causes, verdict.blame) == (("HIS008",), "server")


def test_a_prompt_cannot_be_reused_beyond_its_end() -> None:
    """A retry of the same prompt: the answer that was generated behind it is not part of it."""
    verdict = judge(usage(9_999, prompt=10_000), BEFORE, NONE)
    assert gist(verdict) == ("hit", "nobody", "counted", 0)
    assert verdict.expected == 10_000


def test_an_answer_that_does_not_stand_is_not_expected() -> None:
    verdict = judge(usage(10_200), replace(BEFORE, replayed=False), NONE)
    assert gist(verdict) == ("hit", "nobody", "counted", 0)
    assert verdict.expected == 10_000


# Something was changed


def test_the_client_changed_the_head() -> None:
    verdict = judge(usage(90), PARTED, HEADER, ("VOL001",))
    assert gist(verdict) == ("miss", "client", "estimated", 10_110)
    assert verdict.causes == ("VOL001",)
    shape = "xxxxxx: xxx=0x0x0;"
    assert verdict.place == Place("/system/0/text", 32, "system[0]", shape, shape, "VOL001")
    assert verdict.sentence == (
        "The client changed system[0], 32 characters in (VOL001): 10,110 tokens behind it were processed again."
    )


def test_a_change_at_the_beginning_of_a_place_says_no_number() -> None:
    verdict = judge(usage(5_000), replace(BEFORE, share=0.5), Difference("turn", "/messages/7", "messages[7] (user)"))
    assert verdict.sentence.startswith("The client changed messages[7] (user): ")
    assert verdict.outcome == "partial"


def test_a_change_that_cost_nothing_is_a_hit() -> None:
    """The cache may hold another branch of the conversation."""
    assert gist(judge(usage(10_200), PARTED, HEADER, ("VOL001",))) == ("hit", "nobody", "estimated", 0)


def test_both_changed_and_dropped_is_the_servers_with_the_change_named_behind() -> None:
    verdict = judge(usage(0), replace(BEFORE, share=0.9), HEADER, ("VOL001",))
    assert (verdict.outcome, verdict.blame, verdict.lost) == ("miss", "server", 10_200)
    assert verdict.causes == ("SRV001", "VOL001")
    assert verdict.expected == 4_500


def test_an_estimate_may_be_off_by_a_tenth() -> None:
    share, turn = replace(BEFORE, share=0.5), replace(HEADER, where="turn")
    assert judge(usage(5_000 - 1_020), share, turn).blame == "client"
    assert judge(usage(5_000 - 1_021), share, turn).blame == "server"


def test_of_an_estimate_in_the_head_half_is_sure() -> None:
    share = replace(BEFORE, share=0.5)
    assert judge(usage(2_500 - 1_020), share, HEADER).blame == "client"
    assert judge(usage(2_500 - 1_021), share, HEADER).blame == "server"


def test_a_place_in_the_head_stands_before_the_first_count_behind_it() -> None:
    changed = replace(BEFORE, share=0.5, points=((0.6, 7_000), (1.0, 10_000)))
    assert gist(judge(usage(6_900), changed, HEADER, ("VOL001",)))[:2] == ("partial", "client")


def test_what_an_older_prompt_had_does_not_hide_the_first_of_the_changes() -> None:
    """A server that keeps many prompts may reuse more than the one before has in common with this one."""
    rows = [Difference("tools", f"/tools/{at}", f"tools[{at}]", "a", "b", 0, "changed") for at in range(2)]
    places = (0.01, 0.05)
    suspects = tuple(
        Suspect(replace(row, share=share, most=share), ("ORD003",)) for row, share in zip(rows, places, strict=True)
    )
    before = replace(PARTED, points=((0.1, 1_000),))
    many = judge_suspects(usage(6_000), before, suspects, Scene(slotted=False))
    assert (many.causes, many.place and many.place.path) == (("ORD003",), "/tools/0")
    one = judge_suspects(usage(6_000), before, suspects, Scene())
    assert one.place is not None
    assert one.place.path == "/tools/1"


def test_what_stands_behind_that_explains_no_loss_in_front_of_it() -> None:
    """A server that keeps many prompts had more than the first change leaves, and less than the second one does."""
    turn = replace(HEADER, where="turn")
    suspects = tuple(
        Suspect(replace(turn, path=f"/messages/{place}", share=share, most=share), ("HIS003",))
        for place, share in ((2, 0.3), (9, 1.0))
    )
    many = judge_suspects(usage(6_000), PARTED, suspects, Scene(slotted=False))
    assert (many.blame, many.causes, many.place and many.place.path) == ("client", ("HIS003",), "/messages/2")


def test_a_rewind_is_no_loss() -> None:
    verdict = judge(usage(4_990, prompt=5_200), replace(BEFORE, share=0.5), NONE)
    assert gist(verdict)[:3] == ("hit", "nobody", "estimated")
    assert "went back to an earlier turn" in verdict.sentence


def test_a_conversation_that_begins_anew_for_a_forks_sake_is_a_first_one() -> None:
    verdict = judge_suspects(usage(0), BEFORE, (), Scene(anew="a fork goes on there"))
    assert gist(verdict) == ("first", "nobody", "counted", 0)
    assert "a fork goes on there" in verdict.sentence


def test_of_a_client_that_hung_up_it_is_not_said_that_the_server_tells_nothing() -> None:
    verdict = judge_suspects(usage(None), BEFORE, (Suspect(HEADER, ("VOL001",)),), Scene(hung_up=True))
    assert (verdict.outcome, verdict.causes) == ("unknown", ("VOL001",))
    assert "hung up" in verdict.sentence


# Not reported is not zero


def test_a_server_that_reports_nothing_gets_no_verdict() -> None:
    verdict = judge(usage(None), BEFORE, NONE)
    assert gist(verdict) == ("unknown", "nobody", "unknown", 0)
    assert verdict.actual is None
    assert "does not report" in verdict.sentence


def test_a_change_is_named_even_where_nothing_is_reported() -> None:
    verdict = judge(usage(None), PARTED, HEADER, ("VOL001",))
    assert gist(verdict) == ("unknown", "client", "unknown", 0)
    assert verdict.causes == ("VOL001", "SRV006")
    assert "system[0], 32 characters in (VOL001)" in verdict.sentence


def test_without_the_size_of_the_prompt_before_nothing_can_be_expected() -> None:
    verdict = judge(usage(700), Predecessor(None, None, 1.0, replayed=False), NONE)
    assert gist(verdict) == ("unknown", "nobody", "unknown", 0)
    assert (verdict.expected, verdict.actual) == (None, 700)
    assert "700 tokens" in verdict.sentence


_tokens = st.none() | st.integers(0, 50_000)
_predecessors = st.none() | st.builds(Predecessor, _tokens, _tokens, st.floats(0, 1), st.booleans())


@given(
    st.builds(Usage, _tokens, _tokens, _tokens),
    _predecessors,
    st.sampled_from((NONE, HEADER, replace(HEADER, what="", offset=0))),
    st.sampled_from(((), ("VOL001",))),
    st.sampled_from(("", "another sat there")),
)
def test_every_verdict_is_sound(
    used: Usage, before: Predecessor | None, difference: Difference, causes: tuple[str, ...], moved: str
) -> None:
    verdict = judge(used, before, difference, causes, moved=moved)
    assert verdict.sentence.endswith(".")
    assert verdict.actual == used.cached_tokens
    assert verdict.lost >= 0
    assert (verdict.lost > 0) == (verdict.outcome in ("partial", "miss"))
    if verdict.outcome in ("hit", "first"):
        assert (verdict.blame, verdict.causes, verdict.place) == ("nobody", (), None)
    if verdict.actual is None:
        assert verdict.grade == "unknown"
        assert verdict.outcome in ("unknown", "first")
    if verdict.blame == "client":
        assert difference.where != "none"
    if verdict.blame == "seat":
        assert moved
    if verdict.expected is not None and used.prompt_tokens is not None:
        assert verdict.expected <= used.prompt_tokens


# By the server's own ids


def exact(actual: int, shared: int, *suspects: Suspect, pace: float | None = None) -> Verdict:
    before = replace(BEFORE, share=0.5 if suspects else 1.0, replayed=not suspects, shared=shared)
    return judge_suspects(usage(actual), before, suspects, Scene(pace=pace))


LATE: Final = Suspect(replace(HEADER, path="/messages/9", share=0.9, most=0.95), ("HIS005",))
EARLY: Final = Suspect(replace(HEADER, share=0.4, most=0.6), ("VOL001",))


def test_the_figure_is_theirs_and_what_stands_behind_it_was_lost() -> None:
    verdict = exact(5_003, 5_003, EARLY, LATE)
    assert gist(verdict) == ("partial", "client", "exact", 5_197)
    assert (verdict.expected, verdict.shared, verdict.causes) == (5_003, 5_003, ("VOL001", "HIS005"))
    assert [(place.code, place.path) for place in verdict.places] == [
        ("VOL001", "/system/0/text"), ("HIS005", "/messages/9")
    ]  # fmt: skip


def test_an_exact_figure_is_not_off_by_a_tenth() -> None:
    assert exact(5_003 - SLACK - 1, 5_003, EARLY).causes == ("VOL001",)
    both = exact(5_003 - SLACK - 2, 5_003, EARLY)
    assert (both.blame, both.causes) == ("client", ("VOL001", "SRV001"))
    assert exact(300, 5_203, EARLY).blame == "client"
    assert exact(0, 5_203, EARLY).blame == "server", "the greater loss is the server's"


def test_both_prompts_whole_and_less_reused_is_the_servers() -> None:
    verdict = exact(4_000, 10_000)
    assert gist(verdict) == ("partial", "server", "exact", 6_200)
    assert verdict.expected == 10_200


@given(st.integers(0, 10_500), st.integers(0, 10_000), st.sampled_from([(), (EARLY,), (LATE,), (EARLY, LATE)]))
def test_what_is_claimed_holds_together(actual: int, shared: int, suspects: tuple[Suspect, ...]) -> None:
    verdict = exact(actual, shared, *suspects)
    assert verdict.grade == "exact"
    assert verdict.expected is not None
    assert verdict.expected >= min(shared, 10_500)
    assert verdict.expected >= min(actual, 10_500)
    assert verdict.lost >= 0
    assert verdict.lost in (0, 10_200 - actual)
    assert {place.code for place in verdict.places} <= set(verdict.causes)


def test_a_usual_pace_serves_where_the_prompt_was_not_measured() -> None:
    assert exact(5_000, 5_003, EARLY, pace=0.5).lost_ms == 0.5 * 5_200
    assert exact(5_000, 5_003, EARLY).lost_ms is None
