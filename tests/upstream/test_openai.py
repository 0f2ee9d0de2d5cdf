"""A chat completions server of no known kind: the shared shape, always streamed."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from keepwarm.core.events import Failed
from keepwarm.core.prompt import Media, Message, Options, SystemBlock, Text, Tool, Turn
from keepwarm.upstream.api import Draft, Traits
from keepwarm.upstream.chat_stream import ChatReader
from keepwarm.upstream.openai import OpenAI

DRAFT = Draft(b"", Options("m", max_tokens=9), b'{"role":"system","content":"s"}', b'{"t":1}', (b'"x"',), ((0, 1),))


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_is_streamed_and_counted_whatever_the_client_asked_for(stream: bool) -> None:
    options = Options("m", max_tokens=9, stream=stream)
    outgoing = OpenAI().request(Draft(b"", options, DRAFT.system, DRAFT.tools, DRAFT.chunks, DRAFT.ranges))
    assert (outgoing.method, outgoing.path) == ("POST", "/v1/chat/completions")
    assert json.loads(outgoing.body) == {
        "model": "m",
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"t": 1}],
        "messages": [{"role": "system", "content": "s"}, "x"],
    }


def test_the_same_request_is_the_same_bytes() -> None:
    assert OpenAI().request(DRAFT) == OpenAI().request(DRAFT)


def test_a_slot_is_not_spoken_of() -> None:
    drafted = Draft(b"", DRAFT.options, b"", b"", (), (), slot=3, headers=(("x-a", "b"),))
    outgoing = OpenAI(model="local").request(drafted)
    assert "id_slot" not in json.loads(outgoing.body)
    assert json.loads(outgoing.body)["model"] == "local"
    assert outgoing.headers == (("x-a", "b"),)


def test_it_writes_what_the_rules_left_and_not_what_came() -> None:
    now, came = (SystemBlock("now", 0),), (SystemBlock("came", 0),)
    assert OpenAI().system(now, came) == b'{"role":"system","content":"now"}'
    assert b'"now"' in OpenAI().tools((Tool("now", "", b"{}", 0),), ())
    turns = [Turn((Message("user", (Text(word),), 0),)) for word in ("now", "came")]
    assert OpenAI().turn(*turns) == b'{"role":"user","content":"now"}'


def test_pictures_go_only_to_who_can_see() -> None:
    turn = Turn((Message("user", (Media("image", "image/png", "aGk="),), 0),))
    assert b"image_url" in OpenAI(Traits(vision=True)).turn(turn, turn)
    assert b"cannot read" in OpenAI(Traits(vision=False)).turn(turn, turn)


def test_reading_and_failing() -> None:
    assert isinstance(OpenAI().reader(stream=False), ChatReader)
    assert OpenAI().reader(stream=False).feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    assert OpenAI().failure(429, {"retry-after": "1"}, b"{}") == Failed(429, "{}", "rate_limit", "1")


def test_a_template_that_drops_reasoning_is_told_to_keep_it() -> None:
    sent = json.loads(OpenAI().request(replace(DRAFT, keeps=True)).body)
    assert sent["chat_template_kwargs"] == {"preserve_thinking": True, "clear_thinking": False}
    assert b"chat_template_kwargs" not in OpenAI().request(DRAFT).body
    assert OpenAI(Traits(drops_thinking=True)).drops_thinking


def test_a_late_tool_can_be_called_and_is_not_printed_at_the_head() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("bash", "late")]
    bash, late = (json.dumps(tool).encode() for tool in tools)
    sent = json.loads(OpenAI().request(replace(DRAFT, tools=bash, late=late)).body)
    assert sent["tools"] == tools
    assert [tool["function"]["name"] for tool in sent["chat_template_kwargs"]["tools"]] == ["bash"]
    assert OpenAI(Traits(quiet_tools=True)).quiet_tools
    assert not OpenAI().quiet_tools


def test_of_a_text_that_the_server_takes_the_line_out_of_the_rest_is_read() -> None:
    assert OpenAI(Traits(unread="line")).read("line: 1;\nBe brief.") == "Be brief."
