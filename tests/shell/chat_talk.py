"""A conversation through the official OpenAI client: what was answered goes back as the client has it."""

from __future__ import annotations

from typing import Any

import openai
from openai.types.chat import ChatCompletion

from keepwarm.shell.app import Gateway
from tests.shell.talk import TOOL

FUNCTION = {
    "type": "function",
    "function": {"name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["input_schema"]},
}


def openai_of(gateway: Gateway, **options: Any) -> openai.AsyncOpenAI:
    """The official client, pointed at `gateway`; it does not try again by itself."""
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="dummy", max_retries=0, **options)


class ChatTalk:
    """A client that only appends."""

    def __init__(self, client: openai.AsyncOpenAI, name: str, *, stream: bool = True, **fields: Any) -> None:
        self._client = client
        self._stream = stream
        self._fields: dict[str, Any] = {"model": "local", "max_tokens": 4000, "tools": [FUNCTION], **fields}
        system = {"role": "system", "content": f"You are {name}. " + "Be careful. " * 100}
        self.messages: list[Any] = [system, {"role": "user", "content": f"{name}: SCRIPT loop"}]

    async def turn(self) -> ChatCompletion:
        """One request; its answer, which is put behind the messages with a result for each call."""
        completion = await self._ask()
        said = completion.choices[0].message
        self.messages.append(said.model_dump())
        calls = said.tool_calls or []
        results = [{"role": "tool", "tool_call_id": call.id, "content": "some output"} for call in calls]
        self.messages += results or [{"role": "user", "content": "And then?"}]
        return completion

    async def _ask(self) -> ChatCompletion:
        if not self._stream:
            completion: ChatCompletion = await self._client.chat.completions.create(
                messages=self.messages, **self._fields
            )
            return completion
        async with self._client.chat.completions.stream(messages=self.messages, **self._fields) as stream:
            return await stream.get_final_completion()
