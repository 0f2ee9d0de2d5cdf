"""How a test of the matrix hands in its line of the closing table, and how its assertions come to say what they saw."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.clients.summary import PROPERTY, Row

# Before anything imports it: pytest explains only the assertions of test files unless it is told of others.
pytest.register_assert_rewrite("tests.clients.judge", "tests.clients.chat_judge", "tests.clients.habit_judge")

HandIn = Callable[[Row], None]


@pytest.fixture
def hand_in(record_property: Callable[[str, object], None]) -> HandIn:
    """hand_in(row): before anything is judged, so that a cell that is too dear shows what it cost."""

    def hand(row: Row) -> None:
        record_property(PROPERTY, msgspec.to_builtins(row))

    return hand
