"""Messages and tools of a chat client, written anew only where a rule changed them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import Block, Message, Opaque, Text, Thinking, Tool, ToolReference, ToolResult, ToolUse, Turn
from keepwarm.upstream.chat_messages import GONE, system_text, tools_text, turn_text
from keepwarm.wire import openai_chat, openai_messages
from tests.upstream.byte_path import COUNTDOWN, HEADER, Conversation, Sender
from tests.upstream.chat_byte_path import conversations

CALL_ID = "call_01A09q90qw90lq917835lq9"
USER = '{"role": "user", "content": "go on",  "odd": 1.0}'
PARTS = '{"role": "user", "content": [{"type": "text",  "text": "go on"}]}'


def called(arguments: str, **more: Any) -> str:
    call = {"id": CALL_ID, "type": "function", "function": {"name": "Bash", "arguments": arguments}}
    return json.dumps({"role": "assistant", "content": None, "tool_calls": [call], **more})


def result(content: str = '"out"', call_id: str = CALL_ID) -> str:
    return '{"role": "tool", "content": ' + content + ', "tool_call_id": "' + call_id + '", "odd": 1.0}'


def system(content: str, role: str = "system") -> str:
    return '{"role": "' + role + '", "content": ' + content + "}"


def turn(*raws: str) -> Turn:
    return Turn(tuple(openai_messages.message(raw.encode(), index) for index, raw in enumerate(raws)))


def with_blocks(one: Turn, *blocks: Block) -> Turn:
    """The turn with its first message saying this."""
    first, *rest = one.messages
    return Turn((replace(first, blocks=blocks), *rest))


def body(*messages: str, **members: Any) -> bytes:
    return ('{"messages": [' + ", ".join(messages) + "]}").encode()[:-1] + b"".join(
        b', "%b": %b' % (name.encode(), json.dumps(value).encode()) for name, value in members.items()
    ) + b"}"  # fmt: skip


def sender() -> Sender:
    return Sender(kind="chat", front="chat")


# Turns


def test_what_no_rule_changed_goes_as_it_came() -> None:
    for one in (turn(USER), turn(called("{}")), turn(result(), USER)):
        assert turn_text(one, one) == b""


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (USER, USER.replace('"go on"', '"go on\\n\\nnote"')),
        (PARTS, PARTS.replace('"go on"}', '"go on"},{"type":"text","text":"note"}')),
    ],
)
def test_what_is_added_stands_behind_in_the_shape_that_is_there(raw: str, written: str) -> None:
    one = turn(raw)
    now = with_blocks(one, *one.messages[0].blocks, Text("note"))
    assert turn_text(now, one).decode() == written


def test_words_inside_a_result_stay_inside_it() -> None:
    for content, written in (
        ('"out"', '"out\\n\\nnote"'),
        ('[{"type": "text",  "text": "out"}]', '[{"type": "text",  "text": "out"},{"type":"text","text":"note"}]'),
        ("null", '"note"'),
    ):
        one = turn(result(content))
        odd, block = one.messages[0].blocks
        assert isinstance(block, ToolResult)
        now = with_blocks(one, replace(block, content=(*block.content, Text("note"))), odd)
        assert turn_text(now, one).decode() == result(written)


def test_results_are_messages_of_their_own_whatever_message_a_rule_puts_them_in() -> None:
    one = turn(result(call_id="a"), result('["bare"]', call_id="b"), USER)
    first, second, third = one.messages
    swapped = Turn((replace(first, blocks=second.blocks), replace(second, blocks=first.blocks), third))
    rows = [result('["bare"]', call_id="b"), result(call_id="a"), USER]
    assert turn_text(swapped, one).decode() == ",".join(rows)
    together = Turn((replace(first, blocks=(*second.blocks, *first.blocks, Text("note"))), third))
    rows = [*rows[:2], '{"role":"user","content":"note"}', USER]
    assert turn_text(together, one).decode() == ",".join(rows)


def test_a_result_answers_the_call_under_the_servers_own_id() -> None:
    one = turn(result())
    odd, block = one.messages[0].blocks
    assert isinstance(block, ToolResult)
    now = with_blocks(one, replace(block, id="call_0"), odd)
    assert turn_text(now, one).decode() == result(call_id="call_0")


@pytest.mark.parametrize(
    ("raw", "blocks", "written"),
    [
        (called('{"a":1}'), [ToolUse(CALL_ID, "Bash", '{"a": 1.0}')], called('{"a": 1.0}')),
        (called("{}"), [ToolUse(CALL_ID, "Edit", "{}", "call_0")],
         called("{}").replace(CALL_ID, "call_0").replace("Bash", "Edit")),
        (called("{}"), [Text("\n\n"), ToolUse(CALL_ID, "Bash", "{}")],
         called("{}").replace("null", '"\\n\\n"')),
        (called("{}"), [Thinking("Hm."), ToolUse(CALL_ID, "Bash", "{}")],
         called("{}")[:-1] + ',"reasoning_content":"Hm."}'),
        (called("{}", reasoning=""), [Thinking("Hm."), ToolUse(CALL_ID, "Bash", "{}")], called("{}", reasoning="Hm.")),
        (called("{}", reasoning_content=None), [Thinking("Hm."), ToolUse(CALL_ID, "Bash", "{}")],
         called("{}", reasoning_content="Hm.")),
    ],
)  # fmt: skip
def test_an_assistants_message_is_changed_where_it_is_another(raw: str, blocks: list[Block], written: str) -> None:
    one = turn(raw)
    known = [block for block in one.messages[0].blocks if isinstance(block, ToolUse)]
    made = [replace(block, raw=known[0].raw) if isinstance(block, ToolUse) else block for block in blocks]
    assert turn_text(with_blocks(one, *made), one).decode() == written


def test_arguments_that_are_an_object_stay_one() -> None:
    raw = '{"role":"assistant","tool_calls":[{"function":{"name":"Bash","arguments":{"a":1}}} , {"type":"custom"}]}'
    one = turn(raw)
    call, custom = one.messages[0].blocks
    assert isinstance(call, ToolUse)
    now = with_blocks(one, replace(call, arguments='{"a": 1.0}'), custom)
    assert turn_text(now, one).decode() == raw.replace('{"a":1}', '{"a": 1.0}')
    cut = with_blocks(one, replace(call, arguments='{"a": 1'), custom)
    assert turn_text(cut, one) == b"", "no server takes what is no object there"


def test_a_call_that_is_new_is_written_whole() -> None:
    one = turn('{"role":"assistant","content":"x"}')
    now = with_blocks(one, *one.messages[0].blocks, ToolUse("id", "Bash", "{}"))
    (sent,) = json.loads(b"[" + turn_text(now, one) + b"]")
    call = {"id": "id", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}
    assert sent == {"role": "assistant", "content": "x", "tool_calls": [call]}


def test_a_message_that_a_rule_made_is_a_users() -> None:
    one = turn(system('"late"'))
    made = Turn((Message("user", (Text("note"), Opaque("member name", b'"x"'), ToolReference("Search")), 0),))
    (sent,) = json.loads(b"[" + turn_text(made, one) + b"]")
    assert sent["role"] == "user"
    assert [part["text"] for part in sent["content"]] == ["note", "The tool Search is available now."]


def test_parts_that_are_left_keep_their_bytes() -> None:
    raw = '{"role":"user","content":[{"type":"text","text":""} , {"type":"odd","x":1.0},{"text" :"a","type":"text"}]}'
    one = turn(raw)
    now = with_blocks(one, *one.messages[0].blocks[1:])
    assert turn_text(now, one).decode() == raw.replace('{"type":"text","text":""} , ', "")
    assert turn_text(with_blocks(one, Text("b", one.messages[0].blocks[2].raw)), one).decode() == (
        '{"role":"user","content":[{"text" :"b","type":"text"}]}'
    )


def test_a_message_in_which_nothing_is_said_stays_unless_it_is_the_systems() -> None:
    empty = '{"role":"user","content":""}'
    assert turn_text(Turn(()), turn(system('""'))) == GONE
    assert turn_text(Turn(()), turn(empty)) == b""
    assert turn_text(Turn(()), turn(system('""'), empty)).decode() == empty
    one = turn(USER, system('""'), empty)
    assert turn_text(Turn(one.messages[:1]), one).decode() == f"{USER},{empty}"
    answer = turn('{"role":"assistant","content":null}')
    assert turn_text(with_blocks(answer, Text("a")), answer) == b'{"role":"assistant","content":"a"}'


# Through the rules


@pytest.mark.parametrize("late", [system('"Be quick."'), system('"Be quick."', "developer")])
def test_a_late_system_message_stays_at_its_place_as_a_reminder(late: str) -> None:
    reminder = "<system-reminder>\\nBe quick.\\n</system-reminder>"
    for before, written in (
        ([USER], [USER.replace("go on", f"go on\\n\\n{reminder}")]),
        ([USER, called("{}"), result()], [USER, called("{}"), result(f'"out\\n\\n{reminder}"')]),
        ([USER, called("{}"), result("[]")], [USER, called("{}"), result(f'"{reminder}"').replace(f'"{reminder}"',
            '[{"type":"text","text":"' + reminder + '"}]')]),
    ):  # fmt: skip
        one = sender()
        assert one.send(body(*before, late)) == body(*written)
        assert one.codes() == ["ROL001"]
        more = '{"role": "assistant", "content": "Yes."}'
        assert one.send(body(*before, late, more, USER)) == body(*written, more, USER)


def test_a_countdown_leaves_no_trace() -> None:
    countdown = system(json.dumps(COUNTDOWN))
    one = sender()
    assert one.send(body(USER, countdown)) == body(USER)
    assert one.codes() == ["VOL002"]
    quoting = '{"role": "user", "content": "what is ' + COUNTDOWN + '?"}'
    assert sender().send(body(quoting)) == body(quoting)


def test_the_first_bytes_of_a_turn_stand_whatever_shape_it_comes_back_in() -> None:
    one, answer = sender(), '{"role": "assistant", "content": "Yes."}'
    one.send(body(USER))
    drifted = '{"content": [{"type": "text", "text": "go on"}], "odd": 1.0, "role": "user"}'
    assert one.send(body(drifted, answer, USER)) == body(USER, answer, USER)
    assert one.codes() == [], "the model reads the same: nothing is changed"
    dumped = answer[:-1] + ', "refusal": null, "annotations": []}'
    assert one.send(body(drifted, dumped, USER, answer, USER)) == body(USER, answer, USER, answer, USER)


def test_with_cache_marks_the_newest_bytes_go() -> None:
    marked = '{"role": "user", "content": [{"type": "text", "text": "go on", "cache_control": {"type": "ephemeral"}}]}'
    plain, answer = (
        marked.replace(', "cache_control": {"type": "ephemeral"}', ""),
        '{"role": "assistant", "content": "Yes."}',
    )
    one = sender()
    assert one.send(body(marked)) == body(marked)
    assert one.send(body(plain, answer, marked)) == body(plain, answer, marked)


def test_an_answer_goes_back_as_it_was_generated() -> None:
    one = sender()
    one.send(body(USER))
    generated = '{"command": "cd / && ls", "timeout": 5000.0}'
    one.answered(Answer("I look.\n", "Hm.", "", (Call(CALL_ID, CALL_ID, "Bash", generated),), "tools"))
    returned = called('{"timeout":5000,"command":"ls"}', content="I look.")
    sent = called(generated, content="I look.\n")[:-1] + ',"reasoning_content":"Hm."}'
    assert one.send(body(USER, returned, result())) == body(USER, sent, result())
    assert one.stable is not None
    assert {note.code: note.path for note in one.stable.notes} == {
        "HIS002": "/messages/1",
        "HIS003": "/messages/1/tool_calls/0/function/arguments",
        "HIS006": "/messages/1",
    }


@given(conversations())
def test_what_was_sent_is_a_prefix_of_what_is_sent_next(conversation: Conversation) -> None:
    one = sender()
    before: list[Any] = []
    for count, message in enumerate(conversation.messages, 1):
        if message.role == "assistant":
            continue
        sent = json.loads(one.send(conversation.before(count)))["messages"]
        if count == len(conversation.messages) or conversation.messages[count].role == "assistant":
            assert sent[: len(before)] == before
            before = sent


# The system prompt


def leading(*messages: str) -> Any:
    return openai_chat.parse(body(*messages, USER)).system


def test_the_system_prompt_is_changed_where_a_rule_changed_it() -> None:
    parts = system('[{"type": "text",  "text": "a"} , {"type": "text",  "text": "b"}]')
    came = leading(system('"one"', "developer"), parts)
    assert system_text(came, came) == b""
    one, a, b = came
    assert system_text((replace(one, text="1"), a, replace(b, text="B")), came).decode() == ",".join(
        (system('"1"', "developer"), parts.replace('"b"', '"B"'))
    )
    assert system_text((one, b), came).decode() == ",".join(
        (system('"one"', "developer"), system('[{"type": "text",  "text": "b"}]'))
    )
    assert system_text((a, b), came).decode() == parts
    assert system_text((), came) == GONE


def test_a_system_prompt_that_stands_since_an_earlier_request_may_have_another_shape() -> None:
    stood, came = leading(system('"a"')), leading(system('[{"type": "text", "text": "a"}]'))
    assert system_text(stood, came) == b"", "it says what the client says"
    (old,) = stood
    assert system_text((replace(old, text="b"),), came).decode() == system('"b"')


@pytest.mark.parametrize(
    ("came", "sent"),
    [
        ([system(json.dumps(f"{HEADER}\nBe brief."))], [system('"Be brief."')]),
        ([system(json.dumps(HEADER)), system('"Be brief."')], [system('"Be brief."')]),
        ([system(json.dumps(HEADER))], []),
        ([system('[{"type":"text","text":"' + HEADER + '"}, {"type":"text","text":"b"}]', "developer")],
         [system('[{"type":"text","text":"b"}]', "developer")]),
    ],
)  # fmt: skip
def test_the_billing_line_leaves_the_rest_as_it_is(came: list[str], sent: list[str]) -> None:
    one = sender()
    assert one.send(body(*came, USER)) == body(*sent, USER)
    assert one.codes() == ["VOL001"]


# Tools


def test_tools_keep_their_bytes_and_are_changed_where_a_rule_changed_them() -> None:
    raws = [
        b'{"type":"function", "function":{"strict":true,"parameters":{"a":1, "b":2},"name":"A","description":"d"}}',
        b'{"type":"function","function":{"name":"B"}}',
        b'{"type":"web_search", "depth":1.0}',
    ]
    tools = tuple(openai_messages.tool(raw, index) for index, raw in enumerate(raws))
    a, b, c = tools
    assert tools_text(tools, tools) == b""
    assert tools_text((c, b, a), tools) == b"[" + b",".join(reversed(raws)) + b"]"
    changed = replace(a, schema=b'{"b":2,"a":1}', description="D")
    assert tools_text((changed,), tools) == b"[%b]" % raws[0].replace(b'{"a":1, "b":2}', b'{"b":2,"a":1}').replace(
        b'"d"', b'"D"'
    )


def test_tools_go_in_the_order_first_seen() -> None:
    def tool(name: str, keys: str = '{"x":{}, "y":{}}') -> Any:
        return {"type": "function", "function": {"name": name, "parameters": json.loads(keys)}}

    one = sender()
    one.send(body(USER, tools=[tool("A"), tool("B")]))
    sent = json.loads(one.send(body(USER, tools=[tool("B"), tool("A", '{"y":{}, "x":{}}')])))
    assert json.dumps(sent["tools"]) == json.dumps([tool("A"), tool("B")])
    assert one.codes() == ["ORD001", "ORD003"]


def test_a_tool_that_no_function_is_goes_as_its_own_text() -> None:
    raw = b'{"type":"custom"}'
    assert tools_text((Tool("custom", "", raw, 0, raw=raw),), ()) == b"[%b]" % raw
