"""Where a request parts from the one before it, in the order in which a model reads."""

from __future__ import annotations

from typing import Any

import pytest

from keepwarm.core.diff import Difference
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.rules.engine import RuleBook
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialects
from tests.exchange.playbook import keeper, play, request

Json = dict[str, Any]
LONG = "Rules. " * 100
USER: Json = {"role": "user", "content": "hi"}
YES: Json = {"role": "assistant", "content": "Yes."}
ON: Json = {"role": "user", "content": "go on"}


def tool(name: str, **fields: Any) -> Json:
    return {"name": name, "input_schema": {"type": "object"}, **fields}


def parted(before: Json, after: Json, rules: RuleBook | None = None) -> Difference:
    """Where two requests of one conversation part; each is {"messages": [...], "system": .., "tools": ..}."""
    on = keeper(rules=rules, manner=Manner())
    for fields in (before, after):
        said = {"messages": [USER], **fields}
        book = play(request(*said.pop("messages"), **said), on, Answer("Yes."))
    stable = book.life.story.stable
    assert stable is not None
    assert stable.before is not None, "the second was taken for another conversation"
    return stable.differences[0] if stable.differences else Difference("none")


@pytest.mark.parametrize(
    "after",
    [
        {"messages": [USER]},
        {"messages": [USER, YES, ON]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {}}]}, YES, ON]},
    ],
)
def test_a_longer_request_does_not_part(after: Json) -> None:
    assert parted({"messages": [USER]}, after) == Difference("none")


def test_a_rewind_does_not_part() -> None:
    assert parted({"messages": [USER, YES, ON]}, {"messages": [USER]}) == Difference("none")


@pytest.mark.parametrize(
    ("before", "after", "path", "what", "kind"),
    [
        (LONG + "one", LONG + "two", "/system", "system", "changed"),
        ([LONG, "one"], [LONG, "two"], "/system/1/text", "system[1]", "changed"),
        ([LONG], [LONG, "more"], "/system/1", "system[1] (added)", "added"),
        ([LONG, "more"], [LONG], "/system/1", "system[1] (removed)", "removed"),
    ],
)
def test_the_system_prompt(before: Any, after: Any, path: str, what: str, kind: str) -> None:
    def blocks(value: Any) -> Any:
        return value if isinstance(value, str) else [{"type": "text", "text": text} for text in value]

    found = parted({"system": blocks(before)}, {"system": blocks(after)})
    assert (found.where, found.path, found.what, found.kind) == ("system", path, what, kind)
    assert found.before[: found.offset] == found.after[: found.offset]


@pytest.mark.parametrize(
    ("before", "after", "path", "what", "kind"),
    [
        ("AB", "BA", "/tools", "the order of the tools", "reordered"),
        ("AB", "ACB", "/tools/1", "the tools (C added)", "added"),
        ("ABC", "AB", "/tools/2", "the tools (C removed)", "removed"),
        ("AB", "AC", "/tools/1", "the tools (C added)", "added"),
    ],
)
def test_the_tools_when_no_rule_keeps_them(before: str, after: str, path: str, what: str, kind: str) -> None:
    found = parted({"tools": list(map(tool, before))}, {"tools": list(map(tool, after))}, RuleBook())
    assert (found.where, found.path, found.what, found.kind) == ("tools", path, what, kind)


def test_a_tool_that_says_something_else() -> None:
    found = parted({"tools": [tool("A"), tool("B", description="it is soft")]},
                   {"tools": [tool("A"), tool("B", description="it is hard")]})  # fmt: skip
    assert (found.where, found.path, found.what) == ("tools", "/tools/1", "the tool B")
    assert found.before[: found.offset] == "it is "


def test_a_turn() -> None:
    later: Json = {"role": "assistant", "content": "No."}
    found = parted(
        {"messages": [USER, YES, ON]}, {"messages": [USER, YES, {"role": "user", "content": "go back"}, later, ON]}
    )
    assert (found.where, found.path, found.what, found.kind) == (
        "turn",
        "/messages/2/content",
        "messages[2] (user)",
        "content",
    )
    assert found.before[: found.offset].endswith("go ")


def test_a_turn_behind_messages_that_say_nothing_is_told_by_the_clients_own_count() -> None:
    empty: Json = {"role": "system", "content": []}
    found = parted({"messages": [USER, empty, YES, ON, YES]}, {"messages": [USER, empty, YES, empty, YES, ON]})
    assert found.where == "turn"
    assert found.path == "/messages/4"


def test_the_very_beginning_of_the_system_prompt_hides_no_break() -> None:
    """It tells the kinds of calls apart, so one that begins otherwise is another conversation to the journal."""
    more = {"messages": [USER, YES, ON], "tools": [tool("A")]}
    found = parted({"system": "ab c " + LONG, **more}, {"system": "ab d " + LONG, **more})
    assert (found.where, found.path, found.offset) == ("system", "/system", 3)


@pytest.mark.parametrize(
    "after",
    [
        {"messages": [USER]},  # no answer in common: a title call may ask about the same words
        {"messages": [USER, YES, ON], "tools": [tool("B")]},  # another kind of call about the same conversation
        {"messages": [USER, {"role": "assistant", "content": "No."}, ON]},
    ],
)
def test_another_kind_of_call_does_not_go_on_from_the_conversation(after: Json) -> None:
    with pytest.raises(AssertionError, match="another conversation"):
        parted({"system": "You code.", "messages": [USER, YES, ON], "tools": []}, {"system": "You name.", **after})


def test_what_a_model_reads_first_is_named_first() -> None:
    before = {"system": LONG + "one", "tools": [tool("A")], "messages": [USER, YES, ON]}
    after = {"system": LONG + "two", "tools": [tool("B")], "messages": [USER, YES, {"role": "user", "content": "x"}]}
    assert parted(before, after).where == "system"
    assert parted(before, after | {"system": LONG + "one"}).where == "tools"


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        (["line: 1;", LONG], ["line: 22;", LONG], []),
        (["line: 1;", LONG], ["line: 1;", LONG, "line: 2;"], []),
        ([f"line: 1;\n{LONG}"], [f"line: 2;\n{LONG}"], []),
        ([f"line: 1;\n{LONG}one"], [f"line: 2;\n{LONG}two"], ["/system/0/text"]),
        ([f" line: 1;\n{LONG}"], [f" line: 2;\n{LONG}"], ["/system/0/text"]),
    ],
)
def test_what_the_server_takes_out_itself_parts_nothing(before: list[str], after: list[str], paths: list[str]) -> None:
    on = Keeper("chat", dialects(Traits("chat", unread="line")), RuleBook(), Journal(), Manner())
    for texts in (before, after):
        book = play(request(USER, system=[{"type": "text", "text": text} for text in texts]), on, Answer("Yes."))
    stable = book.life.story.stable
    assert stable is not None
    assert stable.before is not None
    assert [one.path for one in stable.differences] == paths
    if paths and before[0].endswith("one"):
        assert stable.differences[0].offset == len(before[0]) - 3
