"""What comes over the API is read, and an event of progress moves one request."""

from __future__ import annotations

import msgspec
import pytest

from keepwarm.views.answers import LiveProgress, ProgressFacts
from keepwarm.views.top.live import read_live, step
from tests.shell.top.stage import LIVE


def test_the_moment_is_read_as_it_was_written() -> None:
    assert read_live(msgspec.json.encode(LIVE)) == LIVE


def test_progress_moves_the_request_that_it_is_of() -> None:
    done = ProgressFacts(40_000, 40_931, 12_000, 7_000.0)
    moved = step(LIVE, msgspec.json.encode(LiveProgress("a7f00c11", done)))
    assert moved.running[0].progress == done
    assert step(LIVE, msgspec.json.encode(LiveProgress("other", done))) == LIVE


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"<html>"])
def test_another_thing_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_live(data)
