"""Commands and events are values: a life can be written down and compared."""

from __future__ import annotations

from typing import get_args

import pytest

from keepwarm.exchange import commands
from keepwarm.exchange.commands import Arrived, Event, Reply


@pytest.mark.parametrize(
    "kind", [*get_args(commands.Command), *get_args(commands.Event)], ids=lambda kind: kind.__name__
)
def test_each_is_frozen_and_says_what_it_is(kind: type) -> None:
    assert kind.__struct_config__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_says_when(kind: type) -> None:
    assert "at" in kind.__struct_fields__  # type: ignore[attr-defined]


def test_equal_ones_are_equal() -> None:
    assert Arrived(b"x", 1.0) == Arrived(b"x", 1.0) != Arrived(b"x", 2.0)
    assert Reply(200, (), b"") != Reply(500, (), b"")
