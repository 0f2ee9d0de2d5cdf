"""A whole answer of a server: what it generated, and by which names the client knows its parts.

The client sends the answer back on its next turn, often changed; what goes upstream then is what stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from keepwarm.core import digest
from keepwarm.core.events import (
    Event,
    Failed,
    Finished,
    Progress,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)

SIGNATURE_MARK = "kw1."
"""With this begins a signature that keepwarm gave to reasoning which its server did not sign."""

_RUN = re.compile(r"[0-9A-Za-z]+")
_LEGAL_ID = re.compile(r"[0-9A-Za-z_-]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

PartKind: TypeAlias = Literal["text", "thinking", "call"]


class Call(msgspec.Struct, frozen=True, gc=False):
    """A tool call that the server generated."""

    id: str
    """The id that the client knows."""
    upstream_id: str
    """The server's own id; equal to `id` where that was given on, "" where the server gave none."""
    name: str
    arguments: str
    """JSON text as it was generated, which may be cut off and then is no JSON."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """One block of an answer, in the order of the answer."""

    kind: PartKind
    text: str = ""
    """The words of text and of thinking."""
    signature: str = ""
    """Of thinking."""
    call: Call | None = None
    """Of a call."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a server generated for one request."""

    text: str = ""
    """The whole content as generated."""
    thinking: str = ""
    """The whole reasoning as generated."""
    signature: str = ""
    """The signature that the client got with the reasoning; of several pieces, the last one's."""
    calls: tuple[Call, ...] = ()
    reason: str = ""
    """As in `Finished.reason`; "" when the answer broke off."""


class AnswerCollector:
    """Gathers the events of one answer.

    mint  makes the client's id for the tool call with this number (from 0) when the server's own id is not
          one that stays unique; None when the client reads the server's answer as it is
    """

    def __init__(self, mint: Callable[[int], str] | None = None) -> None:
        self._mint = mint
        self._parts: list[tuple[PartKind, list[str], int]] = []
        self._signatures: dict[int, str] = {}
        self._heads: list[tuple[str, str, str]] = []
        self._arguments: list[list[str]] = []
        self._slots: dict[int, int] = {}
        self._reason = ""
        self.usage = Usage()
        """The usage that was reported so far."""

    def feed(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case TextDelta(text):
                if text:
                    self._open("text").append(text)
            case ThinkingDelta(text, signature):
                if text or signature:
                    self._open("thinking").append(text)
                if signature:
                    self._signatures[len(self._parts) - 1] = signature
            case ToolStart(slot, upstream_id, name):
                number = len(self._heads)
                self._heads.append((self._client_id(upstream_id, number), upstream_id, name))
                self._arguments.append([])
                self._slots[slot] = number
                self._parts.append(("call", [], number))
            case ToolDelta(slot, arguments):
                if (place := self._slots.get(slot)) is not None:
                    self._arguments[place].append(arguments)
            case Started(usage=usage):
                self.usage = usage.over(self.usage)
            case Progress(total, cached):
                self.usage = Usage(prompt_tokens=total, cached_tokens=cached).over(self.usage)
            case Finished(reason, _, usage):
                self._reason = reason
                self.usage = usage.over(self.usage)
            case Failed():
                self.usage = event.usage.over(self.usage)
            case _:
                pass

    def number_of(self, slot: int) -> int | None:
        """The number (from 0) of the newest call in a slot; None before its start."""
        return self._slots.get(slot)

    def call(self, number: int) -> Call:
        """A call as far as it has come. Raises IndexError for one that has not started."""
        return Call(*self._heads[number], "".join(self._arguments[number]))

    def newest_signature(self) -> str:
        """The signature of the reasoning that the answer ends with so far; "" when it ends with something else."""
        place = len(self._parts) - 1
        return self._part(place).signature if place >= 0 and self._parts[place][0] == "thinking" else ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The blocks so far, in order."""
        return tuple(self._part(place) for place in range(len(self._parts)))

    @property
    def answer(self) -> Answer:
        """The answer so far."""
        parts = self.parts
        thinking = [part for part in parts if part.kind == "thinking"]
        return Answer(
            text="".join(part.text for part in parts if part.kind == "text"),
            thinking="".join(part.text for part in thinking),
            signature=thinking[-1].signature if thinking else "",
            calls=tuple(part.call for part in parts if part.call is not None),
            reason=self._reason,
        )

    def _open(self, kind: PartKind) -> list[str]:
        # Reasoning that was signed is closed: what comes after it is another block.
        if not self._parts or self._parts[-1][0] != kind or len(self._parts) - 1 in self._signatures:
            self._parts.append((kind, [], -1))
        return self._parts[-1][1]

    def _part(self, place: int) -> Part:
        kind, pieces, number = self._parts[place]
        if kind == "call":
            return Part(kind, call=self.call(number))
        text = "".join(pieces)
        if kind == "text":
            return Part(kind, text)
        return Part(kind, text, self._signatures.get(place) or sign(text))

    def _client_id(self, upstream_id: str, number: int) -> str:
        if self._mint is None:
            return upstream_id
        taken = any(upstream_id == head[0] for head in self._heads)
        return upstream_id if stays_unique(upstream_id) and not taken else self._mint(number)


def sign(thinking: str) -> str:
    """The signature that keepwarm gives to reasoning: the same words have the same one."""
    return SIGNATURE_MARK + digest.of_text(thinking).hex()


def stays_unique(call_id: str) -> bool:
    """Whether a server's tool call id can be given to a client that wants ids unique for a whole session.

    A UUID, or 16 and more random letters and digits in a row (llama.cpp 32, vLLM `chatcmpl-tool-` and 32 hex,
    SGLang `call_` and 24 hex) can; `call_0`, `functions.Bash:0` and nine characters (Mistral) cannot. Anthropic
    allows letters, digits, `_` and `-` in an id.
    """
    if not _LEGAL_ID.fullmatch(call_id):
        return False
    if _UUID.search(call_id):
        return True
    run = max(_RUN.findall(call_id), key=len, default="")
    return len(run) >= 16 and len(set(run)) >= 8 and sum(c.isdigit() for c in run) >= 2
