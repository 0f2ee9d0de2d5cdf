"""What the client does to its history."""

from __future__ import annotations

import json

import pytest

from keepwarm.testing.scenarios.history import PLACEHOLDER
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.view import Call, Message, Part, Result, Text, Thinking, View


def both(name: str, turns: int = 9) -> list[tuple[View, View]]:
    """(plain, shown) for each request."""
    client = Client(Scenario((name,), turns=turns))
    return [(client.view(ask.number, []), client.view(ask.number)) for ask in client.plan.asks]


def parts(messages: tuple[Message, ...]) -> list[Part]:
    return [part for message in messages for part in message.parts]


def test_a_moved_reminder_stands_in_the_newest_turn_and_once_only() -> None:
    for plain, shown in both("HIS001-moved"):
        found = [part for part in parts(shown.messages) if "<system-reminder>" in str(part)]
        assert len(found) == 1
        assert found[0] in shown.messages[-1].parts
        assert [part for part in parts(shown.messages) if part not in found] == parts(plain.messages)


def test_a_late_reminder_is_there_once() -> None:
    assert ["<system-reminder>" in str(shown) for _, shown in both("HIS001-gone", 8)] == [False] * 3 + [True] + [
        False
    ] * 4


def test_reasoning_is_dropped_emptied_or_dropped_late() -> None:
    counts = {}
    for name in ("HIS002-dropped", "HIS002-late", "HIS002-emptied"):
        _, shown = both(name)[-2]
        counts[name] = [part.text != "" for part in parts(shown.messages) if isinstance(part, Thinking)]
    assert counts == {"HIS002-dropped": [], "HIS002-late": [True], "HIS002-emptied": [False] * 4}


@pytest.mark.parametrize("name", ["HIS003-each", "HIS003-once", "HIS003-rewritten"])
def test_arguments_say_the_same_in_other_words(name: str) -> None:
    differs = 0
    for plain, shown in both(name):
        pairs = zip(parts(plain.messages), parts(shown.messages), strict=True)
        for old, new in pairs:
            if not isinstance(old, Call):
                assert old == new
                continue
            assert isinstance(new, Call)
            if name != "HIS003-rewritten":
                assert json.loads(old.arguments) == json.loads(new.arguments)
            differs += old.arguments != new.arguments
    assert differs


def test_key_order_changes_each_time_or_once() -> None:
    def rows(name: str) -> list[str]:
        return [next(p.arguments for p in parts(shown.messages) if isinstance(p, Call)) for _, shown in both(name)[1:]]

    assert len(set(rows("HIS003-each"))) > 1
    assert len(set(rows("HIS003-once"))) == 2


def test_results_turn_round_when_they_are_no_longer_the_newest() -> None:
    def order(view: View) -> list[str]:
        return [part.call for part in view.messages[2].parts if isinstance(part, Result)]

    pairs = both("HIS004-reordered")
    assert [order(shown) for _, shown in pairs[1:4]] == [["a0.0", "a0.1"], ["a0.1", "a0.0"], ["a0.1", "a0.0"]]


@pytest.mark.parametrize(("name", "tag"), [("HIS005-opening", "u0"), ("HIS005-result", "u1"), ("HIS006-inner", "u0")])
def test_an_edit_changes_one_message_from_the_middle_on(name: str, tag: str) -> None:
    for number, (plain, shown) in enumerate(both(name, 8)):
        other = [new.tag for old, new in zip(plain.messages, shown.messages, strict=True) if old != new]
        assert other == ([tag] if number >= 4 else [])
        same = [" ".join(str(view.messages[0]).split()) for view in (plain, shown)]
        assert name != "HIS006-inner" or same[0] == same[1]


def test_old_results_are_taken_out_once_or_one_more_each_time() -> None:
    def count(view: View) -> int:
        return sum(isinstance(part, Result) and part.text == PLACEHOLDER for part in parts(view.messages))

    assert [count(shown) for _, shown in both("HIS005-trimmed", 8)] == [0, 0, 0, 0, 3, 3, 3, 3]
    assert [count(shown) for _, shown in both("HIS005-trimming", 8)] == [0, 0, 0, 2, 3, 3, 5, 6]


def test_old_answers_get_other_white_space_and_a_cut_one_loses_its_end() -> None:
    plain, shown = both("HIS006-spaces", 8)[-1]
    answers = [
        (old.text, new.text)
        for old, new in zip(parts(plain.messages), parts(shown.messages), strict=True)
        if isinstance(old, Text) and isinstance(new, Text) and old != new
    ]
    assert len(answers) == 7
    assert all(old == new.strip() for old, new in answers)
    plain, shown = both("HIS007-cut", 8)[-1]
    (cut,) = [
        (old.text, new.text)
        for old, new in zip(parts(plain.messages), parts(shown.messages), strict=True)
        if isinstance(old, Text) and isinstance(new, Text) and old != new
    ]
    assert cut[0].startswith(cut[1])
