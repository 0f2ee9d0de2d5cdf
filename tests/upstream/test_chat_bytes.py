"""The byte path of chat completions: the caller's bytes, edited in place, and what has to be asked for besides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from keepwarm.core.events import Failed, Finished
from keepwarm.core.prompt import Options
from keepwarm.errors import BadJson
from keepwarm.rules.engine import RuleBook
from keepwarm.upstream.api import Draft, Outgoing, Traits
from keepwarm.upstream.chat_bytes import ChatBytes, LlamaCppBytes
from tests.upstream.byte_path import Conversation, Sender
from tests.upstream.chat_byte_path import conversations

ASK = '{"role":"user","content":"go on"}'


def sender(rules: RuleBook | None = None) -> Sender:
    """Towards a server that nothing has to be said to besides."""
    return Sender(rules, kind="chat", front="chat")


def draft(body: bytes, *, slot: int | None = None, untouched: bool = False, **options: Any) -> Draft:
    """A request of which nothing was changed."""
    asked = Options("m", **options)
    return Draft(body, asked, b"", b"", (b"",), ((0, 1),), slot, leading=0, untouched=untouched)


def request(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [json.loads(ASK)], **fields}).encode()


# The very bytes


@given(conversations())
def test_where_nothing_may_fire_the_very_bytes_leave(conversation: Conversation) -> None:
    one = sender(RuleBook())
    for count in range(1, len(conversation.messages) + 1):
        came = conversation.before(count)
        assert one.send(came) is came


@given(conversations())
def test_all_outside_what_a_rule_edits_is_byte_identical(conversation: Conversation) -> None:
    one = sender()
    one.send(conversation.before(1))
    for message in conversation.messages:
        for answer in message.generated:
            one.answered(answer)
    count = len(conversation.messages)
    assert one.send(conversation.before(count)) == conversation.after(count)


@given(conversations())
def test_request_by_request_leaves_what_all_at_once_leaves(conversation: Conversation) -> None:
    one = sender()
    for count, message in enumerate(conversation.messages):
        if message.role == "assistant":
            assert one.send(conversation.before(count)) == conversation.after(count)
            for answer in message.generated:
                one.answered(answer)
    count = len(conversation.messages)
    assert one.send(conversation.before(count)) == conversation.after(count)
    assert one.send(conversation.before(count)) == conversation.after(count), "and a retry is the same"


@pytest.mark.parametrize("make", [ChatBytes, LlamaCppBytes])
@pytest.mark.parametrize("stream", [False, True])
def test_who_is_observed_leaves_as_it_came(make: type[ChatBytes], stream: bool) -> None:
    came = b'{"messages":[%b],"model":"m","model":"n"}' % ASK.encode()
    outgoing = make().request(draft(came, slot=1, untouched=True, stream=stream))
    assert outgoing.body is came
    assert not outgoing.hides_usage
    renamed = make(model="local").request(draft(request(), slot=1, untouched=True, stream=stream))
    assert renamed.body == request(model="local"), "the model's name is the user's own word"


# What has to be said besides


def test_usage_is_asked_for_where_it_would_not_be_told() -> None:
    shapes: tuple[Any, ...] = (None, {}, {"include_usage": False})
    for said in ({}, *({"stream_options": shape} for shape in shapes)):
        outgoing = ChatBytes().request(draft(request(stream=True, **said), stream=True))
        sent = json.loads(outgoing.body)
        assert sent["stream_options"] == {"include_usage": True}
        assert outgoing.hides_usage
        assert {name: sent[name] for name in sent if name != "stream_options"} == json.loads(request(stream=True))
    kept = ChatBytes().request(draft(request(stream_options={"novel": 1}), stream=True))
    assert json.loads(kept.body)["stream_options"] == {"novel": 1, "include_usage": True}


@pytest.mark.parametrize("asked", [{"stream": True, "usage": True}, {"stream": False}])
def test_who_asks_for_usage_or_streams_nothing_is_left_alone(asked: dict[str, bool]) -> None:
    came = request(stream_options={"include_usage": True}, stream=asked["stream"])
    assert ChatBytes().request(draft(came, **asked)) == Outgoing("/v1/chat/completions", came)


def test_llama_cpp_gets_its_slot_and_the_switches_of_its_templates() -> None:
    outgoing = LlamaCppBytes().request(draft(request(tools=[{"type": "function"}], stream=True), slot=2, stream=True))
    sent = json.loads(outgoing.body)
    assert not outgoing.hides_usage
    assert {name: sent[name] for name in sent if name not in ("model", "messages", "tools", "stream")} == {
        "id_slot": 2,
        "cache_prompt": True,
        "parallel_tool_calls": True,
        "chat_template_kwargs": {"preserve_thinking": True, "clear_thinking": False},
    }
    assert outgoing.body.startswith(request(tools=[{"type": "function"}], stream=True)[:-1]), "nothing else moved"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"parallel_tool_calls": False, "tools": [{}]}, {"parallel_tool_calls": False}),
        ({"tools": []}, {"parallel_tool_calls": None}),
        ({"cache_prompt": False}, {"cache_prompt": False}),
        ({"id_slot": 3}, {"id_slot": 2}),
        ({"chat_template_kwargs": {"clear_thinking": True, "novel": 1}},
         {"chat_template_kwargs": {"clear_thinking": True, "novel": 1, "preserve_thinking": True}}),
        ({"chat_template_kwargs": None},
         {"chat_template_kwargs": {"preserve_thinking": True, "clear_thinking": False}}),
        ({"chat_template_kwargs": "x"}, {"chat_template_kwargs": "x"}),
        ({"return_progress": True, "novel": 1.50}, {"return_progress": True, "novel": 1.5}),
    ],
)  # fmt: skip
def test_the_clients_word_wins(said: dict[str, Any], sent: dict[str, Any]) -> None:
    found = json.loads(LlamaCppBytes().request(draft(request(**said), slot=2)).body)
    assert {name: found.get(name) for name in sent} == sent


def test_without_a_slot_to_choose_none_is_said() -> None:
    assert b"id_slot" not in LlamaCppBytes().request(draft(request())).body


@pytest.mark.parametrize("make", [ChatBytes, LlamaCppBytes])
def test_what_a_rule_has_pinned_is_said_where_the_client_says_nothing(make: type[ChatBytes]) -> None:
    sent = json.loads(make().request(draft(request(), thinking=True)).body)
    assert sent["chat_template_kwargs"]["enable_thinking"] is True
    own = request(chat_template_kwargs={"enable_thinking": False})
    assert (
        json.loads(make().request(draft(own, thinking=False)).body)["chat_template_kwargs"]["enable_thinking"] is False
    )


def test_the_model_is_the_users_word_where_there_is_one() -> None:
    assert json.loads(ChatBytes(model="local").request(draft(request())).body)["model"] == "local"
    nameless = b'{"messages":[%b]}' % ASK.encode()
    assert json.loads(ChatBytes(model="local").request(draft(nameless)).body)["model"] == "local"


def test_a_body_that_says_a_thing_twice_is_refused() -> None:
    with pytest.raises(BadJson, match="says the key 'model' twice"):
        ChatBytes().request(draft(b'{"model":"a","messages":[%b],"model":"b"}' % ASK.encode()))


# What the server says


def test_a_stream_is_read_past_what_cannot_be_read() -> None:
    reader = ChatBytes().reader(True)
    events = reader.feed(b'data: {"choices":[{"delta":{"content":[7]}}]}\n\ndata: what?\n\n')
    events += reader.feed(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert isinstance([*events, *reader.finish()][-1], Finished)
    assert isinstance(ChatBytes().reader(False).finish()[-1], Failed)


def test_a_refusal_is_what_it_says() -> None:
    assert ChatBytes().failure(429, {"retry-after": "1"}, b"{}") == Failed(429, "{}", "rate_limit", "1")


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_it_is_named_for_the_kind_of_server(kind: str) -> None:
    assert ChatBytes(Traits(kind)).name == kind
    assert replace(ChatBytes(), model="x").protocol == "chat"


def test_cache_marks_are_the_clients_own() -> None:
    assert ChatBytes().marks(b'{"cache_control": null}')
    assert not ChatBytes().marks(request())


def test_a_late_tool_can_be_called_and_is_not_printed_at_the_head() -> None:
    """The others are printed as llama.cpp prints those of `tools`: with a description, and nothing unknown."""
    bash = {"type": "function", "function": {"strict": True, "parameters": {"b": 1}, "name": "bash"}}
    late, odd = {"type": "function", "function": {"name": "late"}}, {"type": "odd"}
    came = draft(request(tools=[late, bash, odd], chat_template_kwargs={"novel": 1}))
    sent = json.loads(LlamaCppBytes().request(replace(came, tools=json.dumps([bash, odd]).encode(), late=b"[..]")).body)
    assert sent["tools"] == [late, bash, odd]
    printed = {"type": "function", "function": {"name": "bash", "description": "", "parameters": {"b": 1}}}
    assert sent["chat_template_kwargs"]["tools"] == [printed, odd]
    assert list(sent["chat_template_kwargs"]["tools"][0]["function"]) == ["name", "description", "parameters"]
    assert sent["chat_template_kwargs"]["novel"] == 1


def test_a_template_that_drops_reasoning_is_told_to_keep_it() -> None:
    came = request(chat_template_kwargs={"novel": 1})
    sent = ChatBytes().request(replace(draft(came), keeps=True)).body
    switches = {"novel": 1, "preserve_thinking": True, "clear_thinking": False}
    assert json.loads(sent) == json.loads(came) | {"chat_template_kwargs": switches}
    assert sent.startswith(came.removesuffix(b"}}")), "nothing else moved"
    assert ChatBytes().request(replace(draft(came, untouched=True), keeps=True)).body is came
    assert ChatBytes(Traits(drops_thinking=True)).drops_thinking


def test_to_vllm_the_others_are_printed_as_it_prints_those_of_tools() -> None:
    bash, late = ({"type": "function", "function": {"name": name}} for name in ("bash", "late"))
    came = draft(request(tools=[late, bash], chat_template_kwargs={"novel": 1}))
    sent = json.loads(ChatBytes().request(replace(came, tools=json.dumps([bash]).encode(), late=b"[..]")).body)
    assert sent["tools"] == [late, bash]
    function = {"name": "bash", "description": None, "parameters": None}
    assert sent["chat_template_kwargs"] == {"novel": 1, "tools": [{"type": "function", "function": function}]}
    assert ChatBytes(Traits(quiet_tools=True)).quiet_tools
    assert ChatBytes(Traits(unread="line")).read("line: 1;\nBe brief.") == "Be brief."
