"""The session of `keepwarm verify`: an agent's head, then one short question after the other, each appended.

Nothing in it changes but the billing line, so that whatever the two arms of a way differ by is the line's doing. Each
session has words of its own: no arm and no round finds another's prompt in the server's cache.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

from keepwarm.testing import agent_words as words
from keepwarm.testing.agent_session import AgentRequest, Conversation, billing_line
from keepwarm.testing.agent_words import Json

Style: TypeAlias = Literal["2.1.114", "2.1.328"]
"""Whose header: new in each request, or the same for the whole session."""
STYLES: Final[tuple[Style, ...]] = get_args(Style)
ANSWER_TOKENS: Final = 4
_TOOLS: Final = 4
_HEAD_TOKENS: Final = 420
"""What the tools and the frame of a prompt come to."""
_TOKENS_A_WORD: Final = 1.21
_QUESTION_WORDS: Final = 12


class VerifySession:
    """One session: ask `request`, send it, hand the answer to `receive`."""

    def __init__(self, nonce: str, tokens: int, *, header: bool, style: Style, model: str) -> None:
        """nonce   tells this session's words from every other's
        tokens  of its prompts, roughly
        header  whether the billing line is on
        """
        self._dice = random.Random(f"verify {nonce}")
        self._header, self._style, self._model = header, style, model
        self.id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        length = max(20, round((tokens - _HEAD_TOKENS) / _TOKENS_A_WORD))
        text = f"Session {self.id}. {words.instructions(self._dice, length)}"
        tools = words.tools(self._dice, _TOOLS, 0)
        self._talk = Conversation((text,), tools, f"{self._dice.getrandbits(12):03x}")
        self._number = 0

    def request(self) -> AgentRequest:
        """The next request: everything so far, and one more question."""
        self._number += 1
        self._talk.say("user", f"Question {self._number}: {words.prose(self._dice, _QUESTION_WORDS)}?")
        cch = f"{self._dice.getrandbits(20):05x}" if self._style == "2.1.114" else ""
        line = billing_line(self._style, self._talk.suffix, cch) if self._header else ""
        user = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": self.id})
        body = self._talk.body(line, thinks=False, user_id=user, model=self._model, max_tokens=ANSWER_TOKENS)
        headers = {
            "content-type": "application/json",
            "user-agent": f"claude-cli/{self._style} (external, cli)",
            "anthropic-version": "2023-06-01",
            "x-api-key": "dummy",
            "x-claude-code-session-id": self.id,
        }
        return AgentRequest(self._number, "main", "/v1/messages", tuple(headers.items()), body)

    def receive(self, blocks: Sequence[Json]) -> None:
        """Take the answer. Only its words come back in the next request; one without words stands as "Noted."."""
        text = "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text").strip()
        self._talk.say("assistant", [{"type": "text", "text": text or "Noted."}])
