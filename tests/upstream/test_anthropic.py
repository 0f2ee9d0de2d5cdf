"""The byte path: the caller's bytes, edited in place only where a rule fired."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.core.answer import Answer, Call
from keepwarm.core.events import Failed
from keepwarm.core.prompt import Message, Options, Text, ToolResult, ToolUse, Turn
from keepwarm.rules.engine import RuleBook
from keepwarm.upstream.anthropic import Anthropic
from keepwarm.upstream.anthropic_stream import AnthropicReader
from keepwarm.upstream.api import Draft, Traits
from tests.upstream.byte_path import COUNTDOWN, HEADER, Conversation, Sender, conversations

CALL_ID = "toolu_01A09q90qw90lq917835lq9"
ASK = '{"role":"user","content":"go on"}'


def body(*messages: str, **members: str) -> bytes:
    """A request of messages and members as JSON texts."""
    rows = {"model": '"m"', **members, "messages": "[" + ",".join(messages) + "]"}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in rows.items()) + "}").encode()


def text(words: str, **more: Any) -> str:
    return json.dumps({"type": "text", "text": words, **more})


def message(role: str, *blocks: str) -> str:
    return '{ "role": "' + role + '", "content": [' + ", ".join(blocks) + "] }"


def result(content: str) -> str:
    return '{"type": "tool_result", "tool_use_id": "' + CALL_ID + '", "content": ' + content + "}"


def used(arguments: str) -> str:
    return '{"type": "tool_use", "id": "' + CALL_ID + '", "name": "Bash", "input": ' + arguments + "}"


def generated(arguments: str, text: str = "", thinking: str = "", signature: str = "") -> Answer:
    return Answer(text, thinking, signature, (Call(CALL_ID, CALL_ID, "Bash", arguments),), "tools")


# The very bytes


@given(conversations())
def test_where_nothing_may_fire_the_very_bytes_leave(conversation: Conversation) -> None:
    sender = Sender(RuleBook())
    for count in range(1, len(conversation.messages) + 1):
        came = conversation.before(count)
        assert sender.send(came) is came


def test_where_nothing_fires_the_very_bytes_leave() -> None:
    came = body(ASK, system=json.dumps(f"Lines of others: \n{HEADER}"), novel="[1.0, 2]")
    sender = Sender()
    assert sender.send(came) is came
    assert sender.codes() == []


# Edits in place


@given(conversations())
def test_all_outside_what_a_rule_edits_is_byte_identical(conversation: Conversation) -> None:
    sender = Sender()
    sender.send(conversation.before(1))
    for one in conversation.messages:
        for answer in one.generated:
            sender.answered(answer)
    count = len(conversation.messages)
    assert sender.send(conversation.before(count)) == conversation.after(count)


@given(conversations())
def test_request_by_request_leaves_what_all_at_once_leaves(conversation: Conversation) -> None:
    sender = Sender()
    for count, one in enumerate(conversation.messages):
        if one.role == "assistant":
            assert sender.send(conversation.before(count)) == conversation.after(count)
            for answer in one.generated:
                sender.answered(answer)
    count = len(conversation.messages)
    assert sender.send(conversation.before(count)) == conversation.after(count)
    assert sender.send(conversation.before(count)) == conversation.after(count), "and a retry is the same"


def test_the_billing_line_leaves_the_rest_of_its_block() -> None:
    clean = text("Be brief é.", cache_control={"type": "ephemeral"})
    line = text(f"{HEADER}\nStay.", cache_control={"type": "ephemeral"})
    sender = Sender()
    assert sender.send(body(ASK, system=f"[{line}, {clean}]")) == body(
        ASK, system=f"[{line.replace(HEADER + chr(92) + 'n', '')},{clean}]"
    )
    assert sender.codes() == ["VOL001"]
    assert sender.send(body(ASK, system=f"[{text(HEADER)}, {clean}]")) == body(ASK, system=f"[{clean}]")
    assert sender.send(body(ASK, system=f"[{text(HEADER)}]")) == body(ASK, system="[]")
    assert sender.send(body(ASK, system=json.dumps(HEADER))) == body(ASK, system='""')


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ([ASK, message("system", text(COUNTDOWN))], [ASK]),
        ([message("system", text(COUNTDOWN)), ASK], [ASK]),
        ([ASK, message("assistant", text("Yes.")), message("system", text(COUNTDOWN))],
         [ASK, message("assistant", text("Yes."))]),
        ([message("user", text("a"), text(COUNTDOWN), text("b"))],
         ['{ "role": "user", "content": [' + text("a") + "," + text("b") + "] }"]),
    ],
)  # fmt: skip
def test_a_countdown_leaves_no_trace(messages: list[str], kept: list[str]) -> None:
    sender = Sender()
    assert sender.send(body(*messages)) == body(*kept)
    assert sender.codes() == ["VOL002"]
    more = [message("assistant", text("No.")), ASK]
    assert sender.send(body(*messages, *more)) == body(*kept, *more)
    assert sender.send(body(*messages, *more, *more)) == body(*kept, *more, *more)
    assert sender.codes() == [], "it stands"


def test_an_inline_system_message_goes_into_the_result_before_it() -> None:
    first, second = result('"caf\\u00e9"'), result('[{"type": "text", "text": "x\\u0041"}, {"type":"odd"}]')
    came = body(ASK, message("user", first, second), message("system", text("be brief")))
    sender = Sender()
    reminder = '{"type":"text","text":"<system-reminder>\\nbe brief\\n</system-reminder>"}'
    into = result('[{"type": "text", "text": "x\\u0041"},{"type":"odd"},' + reminder + "]")
    assert sender.send(came) == body(ASK, '{ "role": "user", "content": [' + first + "," + into + "] }")
    assert sender.codes() == ["ROL001"]
    assert sender.send(came) == body(ASK, '{ "role": "user", "content": [' + first + "," + into + "] }")
    assert sender.codes() == [], "it stands"


def test_an_inline_system_message_behind_words_becomes_words() -> None:
    sender = Sender()
    reminder = '{"type":"text","text":"<system-reminder>\\nbe brief\\n</system-reminder>"}'
    ask = '{"role":"user","content":"caf\\u00e9"}'
    assert sender.send(body(ask, '{"role":"system","content":"be brief"}')) == body(
        '{"role":"user","content":[{"type":"text","text":"caf\\u00e9"},' + reminder + "]}"
    )


def test_a_result_without_content_gets_one_for_the_reminder() -> None:
    empty = '{"type": "tool_result", "tool_use_id": "' + CALL_ID + '"}'
    left = Sender().send(body(ASK, message("user", empty), '{"role":"system","content":"be brief"}'))
    reminder = {"type": "text", "text": "<system-reminder>\nbe brief\n</system-reminder>"}
    assert json.loads(left)["messages"][1]["content"] == [
        {"type": "tool_result", "tool_use_id": CALL_ID, "content": [reminder]}
    ]


def test_a_block_that_a_rule_made_is_written_from_its_values() -> None:
    blocks = (ToolUse("a", "Bash", '{"x": 1.0}'), ToolResult("b", (Text("é"),), is_error=True), ToolResult("c", ()))
    made = Anthropic().turn(Turn((Message("user", blocks, 0),)), Turn(()))
    assert made.decode() == (
        '{"role":"user","content":[{"type":"tool_use","id":"a","name":"Bash","input":{"x": 1.0}},'
        '{"type":"tool_result","tool_use_id":"b","is_error":true,"content":[{"type":"text","text":"é"}]},'
        '{"type":"tool_result","tool_use_id":"c","content":[]}]}'
    )


def test_a_call_goes_on_as_it_was_generated() -> None:
    sender = Sender()
    sender.send(body(ASK))
    sender.answered(generated('{"command":  "cd / && ls", "timeout": 5000.0}'))
    said = text("I look.", novel=1)
    back = message("assistant", said, used('{"timeout":5000, "command":"ls"}'))
    left = used('{"command":  "cd / && ls", "timeout": 5000.0}')
    assert sender.send(body(ASK, back, message("user", result('"a"')))) == body(
        ASK, '{ "role": "assistant", "content": [' + said + "," + left + "] }", message("user", result('"a"'))
    )
    assert sender.codes() == ["HIS003"]


def test_a_result_whose_call_is_remembered_is_not_touched() -> None:
    """Its id is the server's own already; a countdown beside it is no reason to write it anew."""
    sender = Sender()
    sender.send(body(ASK))
    sender.answered(generated("{}"))
    mine = result('"caf\\u00e9"')
    came = body(ASK, message("assistant", used("{}")), message("user", mine, text(COUNTDOWN)))
    assert sender.send(came) == body(
        ASK, message("assistant", used("{}")), '{ "role": "user", "content": [' + mine + "] }"
    )


@pytest.mark.parametrize("returned", [[], ['{"type": "thinking", "thinking": "", "signature": "SIG"}']])
def test_lost_reasoning_comes_back_with_the_servers_signature(returned: list[str]) -> None:
    sender = Sender()
    sender.send(body(ASK))
    sender.answered(generated("{}", "I look.", "The file is missing.", "SIG"))
    back = message("assistant", *returned, text("I look."), used("{}"))
    thinking = '{"type":"thinking","thinking":"The file is missing.","signature":"SIG"}'
    assert sender.send(body(ASK, back, ASK)) == body(
        ASK, '{ "role": "assistant", "content": [' + thinking + "," + text("I look.") + "," + used("{}") + "] }", ASK
    )
    assert sender.codes() == ["HIS002"]


def test_tools_go_on_in_the_order_first_seen_with_their_own_marks() -> None:
    def tool(name: str, schema: str, **more: str) -> str:
        rest = "".join(f', "{key}": {value}' for key, value in more.items())
        return f'{{"name": "{name}", "input_schema": {schema}{rest}}}'

    bash, read = tool("Bash", '{"type": "object", "x": 1}'), tool("Read", "{}")
    sender = Sender()
    first = body(ASK, tools=f"[{bash}, {read}]")
    assert sender.send(first) is first
    moved = tool("Bash", '{"x":1,"type":"object"}', cache_control='{"type":"ephemeral"}')
    new = tool("Grep", "{}")
    again = sender.send(body(ASK, tools=f"[{new}, {read}, {moved}]"))
    kept = tool("Bash", '{"type": "object", "x": 1}', cache_control='{"type":"ephemeral"}')
    assert again == body(ASK, tools=f"[{kept},{read},{new}]")
    assert sender.codes() == ["ORD001", "ORD003"]


def test_what_a_tool_says_of_itself_goes_on_as_it_was_first_said() -> None:
    """A date in a description is frozen there, and the new one told once, behind."""

    def tool(name: str, words: str) -> str:
        return f'{{"name": "{name}", "description": "{words}", "input_schema": {{}}, "strict": true}}'

    def tools(day: int) -> str:
        return "[" + tool("Bash", f"Runs a command. Today is 2026-11-{day}.") + "," + tool("Read", "R\\u0065ads.") + "]"

    sender = Sender()
    sender.send(body(ASK, tools=tools(23)))
    again = sender.send(body(ASK, message("assistant", text("Yes.")), ASK, tools=tools(24)))
    assert json.loads(again)["tools"] == json.loads(tools(23))
    assert b"2026-11-24" in again, "told at the end"
    assert set(sender.codes()) == {"VOL003"}


def test_what_stands_is_sent_again_when_the_client_says_the_same() -> None:
    """The reminder of an earlier turn stands where it was folded, whatever comes behind."""
    sender = Sender()
    system = '{"role":"system","content":"be brief"}'
    once = sender.send(body(ASK, system))
    again = sender.send(body(ASK, system, message("assistant", text("Yes.")), ASK))
    assert again.startswith(once.removesuffix(b"]}"))


# Model, failures, reading


def test_a_model_name_of_its_own_is_spliced_in() -> None:
    came = b'{ "model" : "claude-opus-4-1", "messages": [' + ASK.encode() + b'], "max_tokens": 1.0e2 }'
    assert Sender(model="local").send(came.replace(b', "max_tokens": 1.0e2', b"")) == (
        b'{ "model" : "local", "messages": [' + ASK.encode() + b"] }"
    )


def test_it_asks_at_the_messages_path() -> None:
    outgoing = Sender().outgoing(body(ASK))
    assert (outgoing.method, outgoing.path, outgoing.headers) == ("POST", "/v1/messages", ())


def test_reading_and_failing_are_the_protocols_own() -> None:
    said = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    assert Anthropic().failure(529, {"retry-after": "2"}, said) == Failed(529, "busy", "overloaded", "2")
    assert isinstance(Anthropic().reader(stream=True), AnthropicReader)
    assert isinstance(Anthropic().reader(stream=False).finish()[-1], Failed)


@given(st.booleans())
def test_a_text_block_that_was_a_string_is_written_as_a_block(before: bool) -> None:
    """A string has no block to keep: next to a reminder it becomes one, before or behind it."""
    system = '{"role":"system","content":"be brief"}'
    left = json.loads(Sender().send(body(*([system, ASK] if before else [ASK, system]))))
    (one,) = left["messages"]
    assert {block["text"].split()[0] for block in one["content"]} == {"go", "<system-reminder>"}
    assert all(block.keys() == {"type", "text"} for block in one["content"])


def test_a_template_that_drops_reasoning_is_told_to_keep_it() -> None:
    came = b'{"model":"m", "messages":[{"role":"user","content":"hi"}]}'
    draft = Draft(came, Options("m"), b"", b"", (b"",), ((0, 1),), keeps=True)
    told = b'{"preserve_thinking":true,"clear_thinking":false}'
    assert Anthropic().request(draft).body == came.removesuffix(b"}") + b',"chat_template_kwargs":' + told + b"}"
    assert Anthropic().request(replace(draft, untouched=True)).body is came
    own = came.removesuffix(b"}") + b',"chat_template_kwargs":{"clear_thinking":true,"preserve_thinking":false}}'
    assert Anthropic().request(replace(draft, body=own)).body == own
    assert Anthropic(Traits(drops_thinking=True)).drops_thinking


def test_a_late_tool_can_be_called_and_is_not_printed_at_the_head() -> None:
    """The others are printed as vLLM prints those of `tools`."""
    bash, late = '{"name":"Bash","input_schema":{"type":"object"}}', '{"name":"Late","input_schema":{}}'
    came = f'{{"model":"m", "messages":[{ASK}], "tools": [{late}, {bash}]}}'.encode()
    draft = Draft(came, Options("m"), b"", f"[{bash}]".encode(), (b"",), ((0, 1),), late=b"[..]")
    sent = Anthropic(Traits(quiet_tools=True)).request(draft).body
    printed = b'{"type":"function","function":{"name":"Bash","description":null,"parameters":{"type":"object"}}}'
    assert sent == came.removesuffix(b"}") + b',"chat_template_kwargs":{"tools":[' + printed + b"]}}"
    assert Anthropic(Traits(quiet_tools=True)).quiet_tools
    assert not Anthropic().quiet_tools


def test_of_a_block_that_the_server_leaves_out_nothing_is_read() -> None:
    assert Anthropic(Traits(unread="line")).read("line: 1;\nBe brief.") == ""
    assert Anthropic().read("line: 1;") == "line: 1;"
