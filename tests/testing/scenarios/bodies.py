"""The first place where two bodies differ, read from their JSON alone: it shares nothing with the truth that it judges.

What no template shows does not count: `cache_control`, a string against a list with one text. What the server generated
stands between the older body and the newer one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from keepwarm.testing.answers import PIECE
from keepwarm.testing.scenarios.plan import Ask

Json = dict[str, Any]
Item: TypeAlias = tuple[str, str, str, str]
"""(pointer of the thing, pointer of its words, what it goes by, its words)."""


def first_difference(before: bytes, ask: Ask, after: bytes) -> str | None:
    """JSON pointer into `after`; None when it goes on from `before` and the answer to it (which `ask` says)."""
    old, new = json.loads(before), json.loads(after)
    if old["model"] != new["model"]:
        return "/model"
    chat = isinstance(new["messages"][0]["content"], str) and new["messages"][0]["role"] == "system"
    for older, newer, end in ((_system(old), _system(new), "/system"), (_tools(old), _tools(new), "/tools")):
        if (found := _row(older, newer, end)) is not None:
            return found
        if len(newer) > len(older):
            return newer[len(older)][0]
    turns = [*_messages(old["messages"]), _answer(ask, chat)]
    for (role, items), (newer_role, newer_items, end) in zip(turns, _with_ends(new["messages"]), strict=False):
        if role != newer_role:
            return end
        found = _row(items, newer_items, end)
        if found is not None:
            return found
        if len(newer_items) > len(items):
            return newer_items[len(items)][0]
    return None


def _row(old: Sequence[Item], new: Sequence[Item], end: str) -> str | None:
    for (_, _, name, words), (thing, place, newer_name, newer_words) in zip(old, new, strict=False):
        if name != newer_name:
            # A member that is gone has its place still; an element has not.
            return place.replace("/content", "/reasoning_content") if name == "thinking" and thing == place else thing
        if words != newer_words:
            return place
    return end if len(new) < len(old) else None


def _system(body: Json) -> list[Item]:
    return [
        (f"/system/{at}", f"/system/{at}/text", "system", block["text"])
        for at, block in enumerate(body.get("system") or ())
    ]


def _tools(body: Json) -> list[Item]:
    items: list[Item] = []
    for at, tool in enumerate(body.get("tools") or ()):
        own = f"/tools/{at}"
        said, inner = (tool["function"], f"{own}/function") if "function" in tool else (tool, own)
        schema = "parameters" if "function" in tool else "input_schema"
        items.append((own, f"{inner}/description", said["name"], said["description"]))
        items.append((own, f"{inner}/{schema}", said["name"], json.dumps(said[schema])))
    return items


def _with_ends(messages: Sequence[Json]) -> Iterator[tuple[str, list[Item], str]]:
    for at, (role, items) in enumerate(_messages(messages)):
        yield role, items, f"/messages/{at}"


def _messages(messages: Sequence[Json]) -> Iterator[tuple[str, list[Item]]]:
    for at, message in enumerate(messages):
        yield message["role"], _message(message, f"/messages/{at}")


def _message(message: Json, own: str) -> list[Item]:
    if message["role"] == "tool":
        return [(own, f"{own}/content", message["tool_call_id"], message["content"])]
    items: list[Item] = []
    if "reasoning_content" in message:
        place = f"{own}/reasoning_content"
        items.append((place, place, "thinking", message["reasoning_content"]))
    content = message["content"]
    if isinstance(content, str):
        # An assistant message of chat completions has this member whether it says anything or not.
        if content or message["role"] != "assistant":
            items.append((f"{own}/content", f"{own}/content", "text", content))
    else:
        items += [_block(block, f"{own}/content/{at}") for at, block in enumerate(content)]
    for at, call in enumerate(message.get("tool_calls") or ()):
        thing = f"{own}/tool_calls/{at}"
        name = f"{call['id']} {call['function']['name']}"
        items.append((thing, f"{thing}/function/arguments", name, call["function"]["arguments"]))
    return items


def _block(block: Json, own: str) -> Item:
    match block["type"]:
        case "text":
            return own, f"{own}/text", "text", block["text"]
        case "thinking":
            return own, f"{own}/thinking", "thinking", block["thinking"]
        case "tool_use":
            return own, f"{own}/input", f"{block['id']} {block['name']}", json.dumps(block["input"])
        case "tool_result":
            return own, f"{own}/content", block["tool_use_id"], block["content"]
        case _:
            return own, own, block["type"], json.dumps(block)


def _answer(ask: Ask, chat: bool) -> tuple[str, list[Item]]:
    """The answer as a client keeps it that changes nothing."""
    answer, items = ask.answer, []
    text = answer.text[: ask.cut * PIECE] if ask.cut else answer.text
    if answer.thinking and not ask.cut:
        items.append(("", "", "thinking", answer.thinking))
    if text:
        items.append(("", "", "text", text))
    for at, (name, arguments) in enumerate(() if ask.cut else answer.tool_calls):
        said = arguments if chat else json.dumps(json.loads(arguments))
        items.append(("", "", f"toolu_a{ask.number}_{at} {name}", said))
    return "assistant", items
