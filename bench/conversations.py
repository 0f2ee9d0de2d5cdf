"""Conversations as Claude Code holds them, whose bodies cost little to make: every message is written once.

Each turn appends the stub's answer (`bench.replies`) the way the client sends it back - arguments rewritten, thinking
with its signature - then a tool result and, mostly, an inline system message. The billing header changes with each
body, and the one `cache_control` mark moves: the message that loses it turns from a list into a plain string.
"""

from __future__ import annotations

import json
import random
import uuid
from typing import Final

from bench.replies import GENERATED, SIGNATURES, TEXT, THINKING, TOOL, Speech
from keepwarm.testing import agent_words as words
from keepwarm.testing.agent_session import CLIENT_VERSION, as_returned

HEAD_BYTES: Final = 36_000
"""Tools and system prompt of one request, about."""
MARKER: Final = "reply-id:"
"""Stands in each tool result, with the id that the stub gives its next tool call: bodies are made beforehand."""
_MARK: Final = {"type": "ephemeral"}


class Conversation:
    """One conversation. `body` is the request to send now; `grow` takes the stub's answer to it and appends a result.

    seed          the same seed says the same words
    result_bytes  about how much a tool result holds
    """

    def __init__(self, seed: str, result_bytes: int, speech: Speech = "llamacpp") -> None:
        self._dice = random.Random(seed)
        self._speech: Speech = speech
        self._result_bytes = result_bytes
        self.session = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        self._settled: list[bytes] = []
        self._mine = 0
        self._call_id = self._next_id()
        self._suffix, self._tail = self._head()
        self._words = words.prose(self._dice, max(20, result_bytes // 6 + 400))
        self._open: tuple[bytes, bytes] = (b"", b"")
        self._behind: list[bytes] = []
        self._say("user", [{"type": "text", "text": f"Find where the hour is lost. {MARKER}{self._call_id}"}])
        self._note("# Environment\nFolder: /lantern\n" + words.prose(self._dice, 200))
        self.turns = 1
        """Requests that the conversation has had, the one that `body` makes included."""

    @property
    def size(self) -> int:
        """Bytes of the body that `body` makes."""
        return self._mine + len(self._tail) + 300

    def body(self) -> bytes:
        """The request's body; its header differs from call to call."""
        header = (
            f"x-anthropic-billing-header: cc_version={CLIENT_VERSION}.{self._suffix}; cc_entrypoint=cli; "
            f"cch={self._dice.getrandbits(20):05x};"
        )
        messages = b",".join((*self._settled, self._open[0], *self._behind))
        return b'{"model":"local-model","messages":[%b],"system":[{"type":"text","text":"%b"},%b' % (
            messages,
            header.encode(),
            self._tail,
        )

    def grow(self) -> int:
        """Append the answer to the last body and the result of its tool call; gives the bytes that came."""
        before = self._mine
        arguments = as_returned(TOOL, json.loads(GENERATED))
        call = {"type": "tool_use", "id": self._call_id, "name": TOOL, "input": arguments}
        thinking = {"type": "thinking", "thinking": "".join(THINKING), "signature": SIGNATURES[self._speech]}
        self._close()
        self._append(
            self._settled, {"role": "assistant", "content": [thinking, {"type": "text", "text": "".join(TEXT)}, call]}
        )
        result = {"tool_use_id": self._call_id, "type": "tool_result", "is_error": False}
        self._call_id = self._next_id()
        self._say("user", [result | {"content": f"{self._output()} {MARKER}{self._call_id}"}])
        match self.turns % 4:
            case 0:
                self._note(f"<total_tokens>{900_000 - 137 * self.turns} tokens left</total_tokens>")
            case 1:
                # Says nothing, so the mark stays on the message before it.
                self._append(self._behind, {"role": "system", "content": [], "output_config": {"effort": "high"}})
            case 2:
                self._note("<system-reminder>\nThe task list is empty.\n</system-reminder>")
        self.turns += 1
        return self._mine - before

    def grow_to(self, size: int) -> None:
        """Append turns until the body has about `size` bytes."""
        while self.size < size:
            self.grow()

    def _output(self) -> str:
        """A tool's output of about the size asked for, other words each time."""
        at = self._dice.randrange(400)
        length = int(self._result_bytes * self._dice.uniform(0.5, 1.5))
        return f"{self._dice.getrandbits(64):016x} {self._words[at : at + length]}"

    def _say(self, role: str, content: list[dict[str, object]]) -> None:
        """Append a message that carries the mark for now."""
        marked = [*content[:-1], content[-1] | {"cache_control": _MARK}]
        alone = content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content
        self._close()
        self._open = (_compact({"role": role, "content": marked}), _compact({"role": role, "content": alone}))
        self._mine += len(self._open[1]) + 1

    def _note(self, text: str) -> None:
        """An inline system message, which takes the mark from the message before it."""
        self._say("system", [{"type": "text", "text": text}])

    def _append(self, row: list[bytes], message: dict[str, object]) -> None:
        row.append(_compact(message))
        self._mine += len(row[-1]) + 1

    def _close(self) -> None:
        """The message with the mark loses it."""
        if self._open[1]:
            self._settled += (self._open[1], *self._behind)
        self._open, self._behind = (b"", b""), []

    def _head(self) -> tuple[str, bytes]:
        tools = words.tools(self._dice, 20, 120)
        system = words.instructions(self._dice, max(200, (HEAD_BYTES - len(_compact(tools))) // 6))
        rest = {"metadata": {"user_id": f"user_bench_account__session_{self.session}"}, "max_tokens": 32000}
        rest |= {"thinking": {"type": "adaptive"}, "stream": True}
        block = {"type": "text", "text": system, "cache_control": _MARK}
        tail = b'%b],"tools":%b,%b' % (_compact(block), _compact(tools), _compact(rest)[1:])
        return f"{self._dice.getrandbits(12):03x}", tail

    def _next_id(self) -> str:
        return f"toolu_{self._dice.getrandbits(96):024x}"


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
