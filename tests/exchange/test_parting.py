"""Which of several differences is the one where the prompts part."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.diff import Difference, common_prefix
from keepwarm.exchange.parting import Parting, narrow
from keepwarm.ledger.verdict import Predecessor, Suspect

BEFORE = Predecessor(10_000, 100, 0.5, replayed=False)
WORDS = st.lists(
    st.sampled_from(["alpha", "beta\n", "gamma", '"delta"', "épsilon", "zeta\\", "\teta", "theta", "😀"]),
    min_size=4,
    max_size=12,
).map(" ".join)


def suspect(before: str, after: str, share: float = 0.0, most: float = 1.0, path: str = "/x") -> Suspect:
    offset = common_prefix(before, after)
    return Suspect(Difference("turn", path, "messages[1]", before, after, offset, "content", share, most), ("HIS005",))


def parting(old: str, new: str, shared: int = 5_000) -> Parting:
    at = common_prefix(old, new)
    return Parting(shared, new[:at], old[at:], new[at:])


@given(st.lists(WORDS, min_size=2, max_size=6), st.data())
def test_it_is_the_one_whose_words_are_printed_there(texts: list[str], data: st.DataObject) -> None:
    """Every text differs; of those that the template prints the first is found, plain or escaped."""
    old = [f"turn {number}: {text} then this was said {number}" for number, text in enumerate(texts)]
    new = [f"turn {number}: {text} now that is said {number}" for number, text in enumerate(texts)]
    first = data.draw(st.integers(0, len(texts) - 1))
    escaped = data.draw(st.booleans())

    def printed(row: list[str]) -> str:
        rows = [json.dumps(text, ensure_ascii=False) if escaped else text for text in row[first:]]
        return "head " + " <turn> ".join(rows)

    suspects = tuple(
        suspect(one, other, path=f"/{number}") for number, (one, other) in enumerate(zip(old, new, strict=True))
    )
    found = narrow(suspects, parting(printed(old), printed(new)), BEFORE)
    assert [one.difference.path for one in found] == [f"/{number}" for number in range(first, len(texts))]


def test_words_that_are_gone_and_words_that_came() -> None:
    words = "a reminder of twenty-four characters and more"
    gone, come = suspect(f"said once. {words}", "said once. "), suspect("said once. ", f"said once. {words}")
    behind = "<turn> the next turn goes on with other words"
    assert narrow((gone,), parting(f"before: said once. {words} {behind}", f"before: said once. {behind}"), BEFORE)
    assert narrow((come,), parting(f"before: said once. {behind}", f"before: said once. {words} {behind}"), BEFORE)


@pytest.mark.parametrize(
    ("shared", "expected"),
    [(2_000, ["/a", "/b", "/c"]), (5_000, ["/b", "/c"]), (5_900, ["/b", "/c"]), (9_000, ["/c"]), (200, [])],
)
def test_where_no_words_tell_it_is_the_one_that_may_stand_there(shared: int, expected: list[str]) -> None:
    row = tuple(suspect("", "", *at) for at in ((0.2, 0.25, "/a"), (0.5, 0.5, "/b"), (0.9, 1.0, "/c")))
    found = narrow(row, parting("one thing printed by a template", "and another thing", shared), BEFORE)
    assert [one.difference.path for one in found] == expected


def test_words_too_few_to_be_known_are_no_proof() -> None:
    """Two turns say "yes" and then "no": which of them it is, only the place tells."""
    row = (suspect("yes", "no", 0.1, 0.1, "/a"), suspect("yes", "no", 0.8, 0.8, "/b"))
    assert [one.difference.path for one in narrow(row, parting("yes", "no", 8_000), BEFORE)] == ["/b"]
