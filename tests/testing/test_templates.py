"""The four chat templates, as the real engine renders them."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from keepwarm.engine.llama import Engine
from keepwarm.testing.templates import NAMES, template_text
from tests.testing.conftest import EngineFor

TOOL = {
    "type": "function",
    "function": {"name": "Look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}},
}
Messages = list[dict[str, Any]]

SYSTEM: dict[str, Any] = {"role": "system", "content": "You are careful."}
USER: dict[str, Any] = {"role": "user", "content": "look around"}
ARGUMENTS = {"path": "/tmp/ü & <b> 'q' \"z\"\n", "count": 2, "ratio": 2.5, "deep": [{"on": True, "off": None}, []]}
CALLING: dict[str, Any] = {
    "role": "assistant",
    "content": "I look.",
    "reasoning_content": "Where am I?",
    "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "Look", "arguments": json.dumps(ARGUMENTS)}},
        {"id": "b", "type": "function", "function": {"name": "Look", "arguments": '{"path": "second"}'}},
    ],
}
RESULTS: Messages = [
    {"role": "tool", "tool_call_id": "a", "content": "first result"},
    {"role": "tool", "tool_call_id": "b", "content": "second result"},
]
DONE = {"role": "assistant", "content": "All done.", "reasoning_content": "That was it."}
NEXT = {"role": "user", "content": "and now?"}


async def render(engine: Engine, messages: Messages, **fields: Any) -> str:
    """The prompt for `messages`, by the engine's own /apply-template; an error is an AssertionError with its text."""
    body = {"messages": messages, "tools": [TOOL], **fields}
    async with aiohttp.ClientSession() as session, session.post(engine.url + "/apply-template", json=body) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        prompt: str = json.loads(text)["prompt"]
        return prompt


@pytest.mark.parametrize("name", NAMES)
async def test_everything_that_was_said_is_printed(engine_for: EngineFor, name: str) -> None:
    prompt = await render(engine_for(name), [SYSTEM, USER, CALLING, *RESULTS])
    for words in ("You are careful.", "look around", "I look.", "Where am I?", "first result", "second result"):
        assert prompt.count(words) == 1, words
    assert '"name": "Look", "description": "Looks."' in prompt
    assert f'{{"name": "Look", "arguments": {json.dumps(ARGUMENTS, ensure_ascii=False)}}}' in prompt
    assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("name", NAMES)
async def test_a_tool_loop_is_append_only(engine_for: EngineFor, name: str) -> None:
    engine = engine_for(name)
    first = await render(engine, [SYSTEM, USER])
    second = await render(engine, [SYSTEM, USER, CALLING, *RESULTS])
    third = await render(engine, [SYSTEM, USER, CALLING, *RESULTS, CALLING, *RESULTS])
    assert second.startswith(first + "<think>\nWhere am I?\n</think>\n\nI look.\n<tool_call>\n")
    assert third.startswith(second + "<think>\nWhere am I?\n</think>\n\nI look.\n<tool_call>\n")


@pytest.mark.parametrize("name", [*NAMES, "qwen_like preserving"])
async def test_a_new_user_turn_is_append_only_where_thinking_is_kept(engine_for: EngineFor, name: str) -> None:
    engine = engine_for(name.split()[0])
    kwargs = {"preserve_thinking": True} if "preserving" in name else {}
    history = [SYSTEM, USER, CALLING, *RESULTS]
    before = await render(engine, history, chat_template_kwargs=kwargs)
    after = await render(engine, [*history, DONE, NEXT], chat_template_kwargs=kwargs)
    kept = after.startswith(before + "<think>\nThat was it.\n</think>\n\nAll done.<|im_end|>\n")
    assert kept == (name != "qwen_like")
    assert ("Where am I?" in after) == (name != "qwen_like")


@pytest.mark.parametrize("name", NAMES)
async def test_where_the_tools_stand(engine_for: EngineFor, name: str) -> None:
    prompt = await render(engine_for(name), [SYSTEM, USER])
    assert (prompt.index("<tools>") < prompt.index("You are careful.")) == (name == "tools_first")
    assert prompt.index("<tools>") < prompt.index("<|im_end|>")


@pytest.mark.parametrize("name", NAMES)
async def test_a_later_system_message_stays_in_its_place_or_is_refused(engine_for: EngineFor, name: str) -> None:
    messages = [SYSTEM, USER, DONE, {"role": "system", "content": "Be brief."}, NEXT]
    if name == "strict_system":
        with pytest.raises(AssertionError, match=r"System message must be at the beginning\."):
            await render(engine_for(name), messages)
    else:
        prompt = await render(engine_for(name), messages)
        assert prompt.index("All done.") < prompt.index("Be brief.") < prompt.index("and now?")


@pytest.mark.parametrize("name", NAMES)
async def test_a_conversation_may_lack_system_and_tools(engine_for: EngineFor, name: str) -> None:
    prompt = await render(engine_for(name), [USER], tools=[])
    assert "<|im_start|>user\nlook around<|im_end|>\n<|im_start|>assistant\n" in prompt


async def test_the_date_is_the_days_unless_one_is_given(engine_for: EngineFor) -> None:
    engine = engine_for("dated")
    today = await render(engine, [SYSTEM, USER])
    given = await render(engine, [SYSTEM, USER], chat_template_kwargs={"date_string": "1 May 2031"})
    assert given.startswith("<|im_start|>system\nToday is 1 May 2031.\n\nYou are careful.")
    head, words = today.split(".", 1)
    assert head.removeprefix("<|im_start|>system\nToday is ").split()[2].isdigit()
    assert given.endswith(words)


@pytest.mark.parametrize(("name", "joined"), [(name, "\n" if name == "tools_first" else "") for name in NAMES])
async def test_text_parts_are_joined(engine_for: EngineFor, name: str, joined: str) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    messages = [{"role": "system", "content": parts}, {"role": "user", "content": parts}]
    assert (await render(engine_for(name), messages)).count(f"one{joined}two") == 2


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="qwen_like, tools_first, strict_system, dated"):
        template_text("qwen")
