"""The judge of habits sees what a client edited, and neither what it only appends nor what no template shows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Record, Verdict
from tests.clients.habit_judge import changed, head, names, session_of

Json = dict[str, Any]
HEADER = "x-anthropic-billing-header: cc_version=2.1.39.{}; cc_entrypoint=cli; cch=00000;"
BODY: Json = {
    "system": [{"type": "text", "text": HEADER.format("1aa")}, {"type": "text", "text": "You are an agent."}],
    "tools": [{"name": "Bash", "description": "Runs."}, {"name": "Edit", "description": "Edits."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}]},
        {"role": "user", "content": [{"type": "text", "text": "go on"}]},
    ],
}
RECORD = Record(
    id="r", at=0.0, front="anthropic", client="", session="", agent="", kind="main", lineage="", parent="", turn=1,
    upstream="", model="", stream=True, status=200, ending="done", error="",
)  # fmt: skip


def said(**changes: Any) -> Json:
    return {**BODY, **changes}


def grown(*more: Json) -> list[Json]:
    return [{"role": "user", "content": "look"}, *BODY["messages"][1:], *more]


@pytest.mark.parametrize(
    ("after", "paths"),
    [
        (BODY, []),
        (said(messages=grown({"role": "assistant", "content": "yes"})), []),
        (said(system=[{"type": "text", "text": HEADER.format("2bb")}, BODY["system"][1]]), []),
        (said(tools=[{**tool, "cache_control": {"type": "ephemeral"}} for tool in BODY["tools"]]), []),
        (said(tools=list(reversed(BODY["tools"]))), []),
        (said(messages=[*BODY["messages"][:2], {"role": "user", "content": [
            {"type": "text", "text": "go on"}, {"type": "text", "text": "and sum it up"}]}]), []),
        (said(system=[BODY["system"][0], {"type": "text", "text": "You were one."}]), ["/system/1/text"]),
        (said(tools=[{"name": "Find"}, *BODY["tools"]]), ["/tools/0"]),
        (said(tools=[BODY["tools"][0], {"name": "Edit", "description": "new"}]), ["/tools/1"]),
        (said(messages=[*grown()[:1], {"role": "assistant", "content": "I looked."}]), ["/messages/1"]),
        (said(messages=[{"role": "user", "content": "So far: nothing."}]), ["/messages/0"]),
    ],
)  # fmt: skip
def test_what_a_request_says_otherwise_than_the_one_before(after: Json, paths: list[str]) -> None:
    assert list(changed(BODY, after)) == paths


def test_a_tool_that_is_gone_is_nothing_that_these_sessions_do() -> None:
    with pytest.raises(AssertionError, match="gone"):
        list(changed(BODY, said(tools=BODY["tools"][:1])))


def test_the_session_is_known_by_either_shape_of_its_name() -> None:
    uuid = "01234567-89ab-4def-8123-456789abcdef"
    for written in (f"user_00ff_account__session_{uuid}", f'{{"device_id":"00ff","session_id":"{uuid}"}}'):
        assert session_of({"metadata": {"user_id": written}}) == uuid


def test_the_ledger_names_what_was_told_now_and_what_parted_the_prompt() -> None:
    told = EditNote("VOL003", "/tools/1", "meaning", 0, 9, "told in the newest turn")
    record = replace(
        RECORD,
        edits=(
            told,
            replace(told, code="VOL004", standing=True),
            replace(told, code="HIS003", note="arguments as generated"),
        ),
        verdict=Verdict(
            "partial",
            "client",
            "counted",
            1,
            1,
            1,
            ("HIS005", "HIS001"),
            Place("/messages/2/content/0", 0, "it", "", ""),
        ),
    )
    assert names(record) == {("VOL003", "/tools/1"), ("HIS005", "/messages/2")}
    assert names(RECORD) == set()


def test_a_head_is_without_the_header_the_environment_and_what_is_loaded_later() -> None:
    environment = "\nHere is useful information about the environment you are running in:\n<env>\n</env>"
    body = said(
        model="m",
        system=[*BODY["system"][:1], {"type": "text", "text": f"You are an agent.{environment}"}],
        tools=[BODY["tools"][0], {"name": "Zip", "defer_loading": True}],
    )
    alone = head(body)
    assert [message["content"] for message in alone["messages"]] == ["You are an agent.", "~"]
    assert [tool["function"]["name"] for tool in alone["tools"]] == ["Bash"]
