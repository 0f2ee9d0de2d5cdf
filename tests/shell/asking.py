"""What a client sends, and how it reads what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp


async def post(http: aiohttp.ClientSession, url: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """(status, parsed answer) of a message; whatever is no JSON fails here."""
    async with http.post(url + "/v1/messages", data=body, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, json.loads(await answer.read())


def error_of(said: Any) -> tuple[str, str]:
    """(type, message) of an error in the protocol's shape."""
    assert said["type"] == "error"
    return said["error"]["type"], said["error"]["message"]


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The data of each event, as it comes."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def all_events(answer: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    """The data of all events, when the last has come."""
    return [event async for event in events(answer)]


def kinds(said: list[dict[str, Any]]) -> list[str]:
    """The types of `said`, pings left out, each run of one type once."""
    found: list[str] = []
    for event in said:
        if event["type"] != "ping" and event["type"] not in found[-1:]:
            found.append(event["type"])
    return found


def text_of(said: list[dict[str, Any]]) -> str:
    """The text of all text deltas."""
    return "".join(event["delta"].get("text", "") for event in said if event["type"] == "content_block_delta")
