"""What the scripted server answers: an Answer, and the scripts that choose one for a request.

A script sees the request as a chat-completions body and must give the same answer to the same body: clients retry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

PIECE: Final = 24
"""Characters of a delta: small enough that every answer comes in several."""
Finish = Literal["stop", "tool_calls", "length"]


class Answer(msgspec.Struct, frozen=True):
    """One assistant turn, as the model would generate it."""

    text: str = ""
    """The words behind the thinking."""
    thinking: str = ""
    """Sent as `reasoning_content`; no line break at either end, since templates strip or add those."""
    tool_calls: tuple[tuple[str, str], ...] = ()
    """(function name, arguments as JSON text) for each call. The text goes out and stays in the slot as it stands
    here; llama.cpp prints it anew on the next turn, the same only if it looks like json.dumps(...,
    ensure_ascii=False) and has no 1.0."""
    in_pieces: bool = False
    """Whether the slot holds it in other tokens than its text is read in, as a model may generate it."""
    finish: Finish | None = None
    """The finish_reason; None = tool_calls where there are any, else stop."""

    @property
    def finish_reason(self) -> Finish:
        """`finish`, or what follows from the calls."""
        return self.finish or ("tool_calls" if self.tool_calls else "stop")

    def begun(self, pieces: int) -> Answer:
        """So much of it as the first `pieces` deltas of a stream hold; a call that was begun is no part of it."""
        count = -(-len(self.thinking) // PIECE)
        thinking = self.thinking[: pieces * PIECE]
        return Answer(self.text[: max(0, pieces - count) * PIECE], thinking)


Script = Callable[[dict[str, Any]], Answer]
"""Chooses the answer to a chat-completions body."""

_MARKER: Final = re.compile(r"\bSCRIPT ([A-Za-z0-9_.-]*[A-Za-z0-9_])")


class MarkerScript:
    """Answers by the last marker `SCRIPT name` in the text of a user message.

    Tool results are no user text (role `tool`), so a file that quotes a marker changes nothing. The step is the number
    of assistant messages behind the message with the marker. A sub-agent's prompt may hold a marker of its own.
    """

    def __init__(self, scripts: Mapping[str, Sequence[Answer]], *, default: Answer, side: Answer | None = None) -> None:
        """scripts   the answers of each name, step by step
        default   for a request without a known marker, and for every step past the end of a script (as text)
        side      for a request without tools whose turn would be a tool call: a title or a summary that quotes the
                  marker; None = `default`
        """
        self.scripts = {name: tuple(answers) for name, answers in scripts.items()}
        self.default = default
        self.side = side if side is not None else default

    def __call__(self, request: dict[str, Any]) -> Answer:
        """The answer to `request`, the same each time."""
        answers, step = self._find(request.get("messages") or [])
        answer = answers[step] if step < len(answers) else self.default
        return self.side if answer.tool_calls and not request.get("tools") else answer

    def _find(self, messages: list[dict[str, Any]]) -> tuple[tuple[Answer, ...], int]:
        step = 0
        for message in reversed(messages):
            if message.get("role") == "assistant":
                step += 1
            elif message.get("role") == "user":
                for name in reversed(_MARKER.findall(content_text(message.get("content")))):
                    if name in self.scripts:
                        return self.scripts[name], step
        return (), 0


def content_text(content: object) -> str:
    """The text of a message's content, a string or a list of parts; parts are joined with line breaks, as llama.cpp
    does."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
