"""What changes by itself, as the client shows it."""

from __future__ import annotations

import itertools

from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.view import Text, View


def views(name: str, **fields: object) -> list[View]:
    client = Client(Scenario((name,), **fields))  # type: ignore[arg-type]
    return [client.view(ask.number) for ask in client.plan.asks]


def test_the_billing_line_is_new_each_time_or_the_sessions_own() -> None:
    each = [view.system[0].text for view in views("VOL001-each")]
    assert len(set(each)) == len(each)
    assert all(text.startswith("x-anthropic-billing-header: cc_version=") for text in each)
    assert len({text.split(";")[0] for text in each}) == 1
    assert len({view.system[0].text for view in views("VOL001-session")}) == 2


def test_the_date_changes_once_and_the_clock_each_time() -> None:
    assert len({view.system[-1].text for view in views("VOL003-date")}) == 2
    assert len({view.system[-1].text for view in views("VOL003-clock")}) == 8
    assert len({view.tools[0].description for view in views("VOL003-tool")}) == 2
    statuses = [view.system[-1].text for view in views("VOL004-git")]
    assert len(set(statuses)) == 2
    assert "(clean)" in statuses[0]


def test_a_moving_countdown_stands_in_the_newest_turn_alone() -> None:
    for name, role in (("VOL002-moving", "user"), ("VOL002-inline", "system")):
        for view in views(name):
            found = [
                (at, part.text)
                for at, message in enumerate(view.messages)
                for part in message.parts
                if isinstance(part, Text) and "<total_tokens>" in part.text
            ]
            assert [at for at, _ in found] == [len(view.messages) - 1]
            assert view.messages[-1].role == role
        assert found[0][1] == "<total_tokens>86883 tokens left</total_tokens>"


def test_inline_system_messages_stay_where_they_are() -> None:
    rows = [[message for message in view.messages if message.role == "system"] for view in views("ROL001-inline")]
    assert [len(row) for row in rows] == list(range(1, 9))
    assert all(later[: len(row)] == row for row, later in itertools.pairwise(rows))
    assert "Surroundings" in str(rows[0][0].parts[0])
