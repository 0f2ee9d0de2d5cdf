"""No more markers than are allowed, and those that reach furthest stay."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core.marks import Row
from keepwarm.rules.mrk002 import MOST, misplaced, trim
from tests.rules.rows import rows


@given(rows)
def test_what_was_trimmed_is_allowed_and_trimmed_again_changes_nothing(row: Row) -> None:
    once = trim(row)
    assert not misplaced(once.value)
    assert len(once.value.marks) == min(len(row.marks), MOST - row.automatic)
    assert set(once.value.marks) <= set(row.marks)
    assert len(once.edits) == len(row.marks) - len(once.value.marks)
    again = trim(once.value)
    assert (again.value, again.edits) == (once.value, ())


@given(rows)
def test_the_last_of_the_conversation_of_the_system_prompt_and_of_the_tools_stays(row: Row) -> None:
    after = trim(row).value
    for part in ("messages", "system", "tools"):
        marks = [place for place in row.marks if row.slots[place].part == part]
        assert not marks or marks[-1] in after.marks
