"""Rows of blocks for property tests of rules about cache markers."""

from __future__ import annotations

from hypothesis import strategies as st

from keepwarm.core.marks import Row, Slot

_slots = st.tuples(st.sampled_from((40, 4000)), st.booleans(), st.integers(0, 9).map(bool), st.booleans())


def _row(
    tools: list[tuple[int, bool, bool, bool]],
    system: list[tuple[int, bool, bool, bool]],
    turns: list[list[tuple[int, bool, bool, bool]]],
    automatic: bool,
) -> Row:
    slots = [Slot("tools", f"/tools/{at}", *facts[:3]) for at, facts in enumerate(tools)]
    slots += [Slot("system", f"/system/{at}", *facts[:3], moves=facts[3]) for at, facts in enumerate(system)]
    for turn, blocks in enumerate(turns):
        for at, facts in enumerate(blocks):
            slots.append(Slot("messages", f"/messages/{turn}/content/{at}", *facts[:3], turn, turn % 2 == 0))
    return Row(tuple(slots), automatic)


rows = st.builds(
    _row,
    st.lists(_slots, max_size=3),
    st.lists(_slots, max_size=3),
    st.lists(st.one_of(st.lists(_slots, max_size=3), st.lists(_slots, min_size=21, max_size=24)), max_size=5),
    st.integers(0, 4).map(lambda number: number == 0),
)
"""Requests of up to five turns, some of them longer than a provider looks back."""
