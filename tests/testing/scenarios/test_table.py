"""The table against the matrix that a detector must get right."""

from __future__ import annotations

from keepwarm.testing.scenarios.table import INJECTIONS

# CAUSES.md, "The scenario matrix", and what was added to it.
MATRIX = """none, cc-moving, billing each request, billing per session, date change, tool reorder, tool added,
reminder moved, JSON key order in replayed tool input (each turn), JSON key order in replayed tool input (once),
thinking dropped, early message edited, compaction, schema drift (key order), schema drift (another text),
middle trimmed, white space, model switch, inline system, countdown, string/block shape, results reordered,
late reminder gone, title call on the same slot, replica moved, interrupted turn, git status changed, rewind, fork,
resume, sub-agents with the same head, sub-agents on the same slot, images, tool arguments rewritten on first echo,
tool removed, re-tokenised turn"""


def test_every_row_of_the_matrix_is_there_and_no_other() -> None:
    assert {injection.row for injection in INJECTIONS.values()} == set(" ".join(MATRIX.split()).split(", "))


def test_names_begin_with_their_code() -> None:
    for name, injection in INJECTIONS.items():
        assert name == injection.name
        assert name.split("-")[0] == (injection.code or "clean")


def test_an_injection_does_something_or_is_the_plain_one() -> None:
    for name, injection in INJECTIONS.items():
        does = injection.show or injection.course or injection.server != "plain"
        assert bool(does) == (name != "clean")
