"""Tools, schemas and parameters in another order, or others."""

from __future__ import annotations

import itertools
import json

from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.view import View


def views(name: str) -> list[View]:
    client = Client(Scenario((name,)))
    return [client.view(ask.number) for ask in client.plan.asks]


def names(view: View) -> list[str]:
    return [tool.name for tool in view.tools]


def test_tools_change_places_and_are_the_same_tools() -> None:
    for name, orders in (("ORD001-each", range(3, 7)), ("ORD001-once", range(2, 3))):
        rows = [names(view) for view in views(name)]
        assert len({tuple(row) for row in rows}) in orders
        assert len({tuple(sorted(row)) for row in rows}) == 1


def test_a_late_tool_comes_in_its_alphabetical_place() -> None:
    before, after = (names(views("ORD002-added")[at]) for at in (3, 4))
    assert set(after) - set(before) == {"Issues__find"}
    assert after == sorted(after)
    assert after[-1] != "Issues__find"


def test_a_tool_goes_or_says_something_else() -> None:
    rows = [names(views("ORD002-removed")[at]) for at in (3, 4)]
    assert rows[1] == rows[0][:-1]
    old, new = (views("ORD002-reworded")[at].tools for at in (3, 4))
    assert [tool.name for tool, other in zip(old, new, strict=True) if tool != other] == ["Read"]


def test_schemas_are_equal_and_never_in_the_first_order_again() -> None:
    rows = [[json.dumps(tool.schema) for tool in view.tools] for view in views("ORD003-keys")]
    assert all(row[1] != rows[0][1] for row in rows[1:])
    assert all(later != row for row, later in itertools.pairwise(rows))
    equal = {json.dumps([json.loads(text) for text in row], sort_keys=True) for row in rows}
    assert len(equal) == 1


def test_another_model_is_asked_from_the_middle_on() -> None:
    assert [view.model for view in views("KEY001-model")] == ["local-model"] * 4 + ["other-model"] * 4
