"""Rows of a conversation: new content only, each text once, and nothing from rows that cannot be read.

That what is read is what stood is in tests/exchange/test_restarts.py.
"""

from __future__ import annotations

import itertools
import json

import pytest

from keepwarm.session import archive
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from tests.exchange.playbook import request
from tests.exchange.restarts import Shelf, keeping, play

WORD = "pelican{} " * 60


def conversation(shelf: Shelf, turns: int) -> list[int]:
    """Bytes that are kept after each turn."""
    on, sizes = keeping(Journal()), []
    said = [{"role": "user", "content": WORD.format(*range(60))}]
    for number in range(turns):
        text = " ".join(f"heron{number}x{at}" for at in range(60))
        play(request(*said, system="Be brief. " * 300), on, shelf, Answer(text))
        said += [{"role": "assistant", "content": text}, {"role": "user", "content": f"go on {number} " * 60}]
        sizes.append(sum(map(len, shelf.values())))
    return sizes


def test_the_archive_grows_with_new_content_only() -> None:
    sizes = conversation(Shelf(), 40)
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    assert max(steps[20:]) < 1.1 * max(steps[1:20])


def test_no_text_is_in_two_rows() -> None:
    shelf = Shelf()
    conversation(shelf, 6)
    for number in range(6):
        assert sum(value.count(f"heron{number}x7 ".encode()) for value in shelf.values()) == 1


@pytest.mark.parametrize("rows", [[b"\xc1"], [b"\x80"], [json.dumps({"type": "turn"}).encode()]])
def test_what_is_no_row_is_damaged(rows: list[bytes]) -> None:
    with pytest.raises(archive.Damaged):
        archive.unpack(rows, b"s" * 32)


def test_a_request_that_lacks_a_turn_is_left_out() -> None:
    shelf = Shelf()
    conversation(shelf, 3)
    (found,) = next(iter(shelf.kept.values())).values()
    assert archive.unpack(found.values(), b"s") is not None
    for name in [name for name in found if name.startswith(b"turn ")][:1]:
        del found[name]
    assert archive.unpack(found.values(), b"s") is None
