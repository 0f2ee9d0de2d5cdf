"""The pages over the lists: a diff with words, with shapes, with nothing."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.ledger.records import Place, Verdict
from keepwarm.views.segments import Diff
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.pages import diff_page, verdict_page
from keepwarm.views.top.picture import Detail
from tests.ledger.samples import a_record
from tests.views.screens import show

HEADER = Place("/system/0/text", 57, "system[0]", "cch=xx", "cch=yy", "VOL001")
LATER = Place("/messages/3", 0, "messages[3] (system)", "", "xxxx", "ROL001")
LOST = Verdict(
    "miss", "client", "counted", 20, 1, 19, ("VOL001", "ROL001"), HEADER, "It changed.", places=(HEADER, LATER)
)
RECORD = a_record(id="cccc1111", parent="bbbb1111", turn=3, verdict=LOST)
BEFORE = a_record(id="bbbb1111", turn=2)
WORDS = Diff(
    "cccc1111",
    "bbbb1111",
    "system[0]",
    "/system/0/text",
    "VOL001",
    4,
    "you are one\nand on",
    "you are two\nand on",
    True,
)
SHAPE = replace(WORDS, offset=0, before="cch=xx", after="cch=yy", recorded=False)
NOWHERE = Diff("cccc1111", "bbbb1111", "", "", "", 0, "", "", False)


def shown(diff: Diff, record: object = RECORD, previous: object = BEFORE, *, ascii_only: bool = False) -> str:
    detail = Detail(record, previous, (), diff.recorded, diff)  # type: ignore[arg-type]
    return show(diff_page(detail, Paper(80, ascii_only)), 80)


def test_recorded_words() -> None:
    assert (
        shown(WORDS)
        == """\
Request cccc11, turn 3, against request bbbb11, turn 2 of its conversation

It changed.

system[0]  VOL001 billing-header
at /system/0/text
  you
- are one
- and on
+ are two
+ and on

messages[3] (system)  ROL001 inline-system
at /messages/3
- (nothing)
+ xxxx

These are the words, from the recording in the ledger."""
    )


def test_shapes_say_how_to_see_words() -> None:
    assert "keepwarm serve --record" in " ".join(shown(SHAPE).split())


def test_nothing_to_part_from() -> None:
    calm = a_record(id="cccc1111", turn=3)
    assert "Nowhere: the prompt was only added to." in shown(NOWHERE, calm)
    assert "first request of its conversation" in shown(NOWHERE, calm, None)
    assert "no verdict" in shown(NOWHERE, a_record(verdict=None))


def test_foreign_signs_move_nothing() -> None:
    evil = replace(WORDS, before="you \x1b[2Jred", after="you \x07blue")
    assert "\x1b" not in shown(evil)
    assert shown(replace(evil, after="you größer"), ascii_only=True).isascii()


def test_a_verdict_is_the_page_of_explain() -> None:
    text = show(verdict_page(Detail(RECORD, BEFORE, (), False, SHAPE), Paper(80)), 80)
    assert "What to do" in text
    assert "keepwarm rule VOL001" in text
