"""What a rule is: a code, how safe its fix is, its page, and pure functions for the places where it works.

A rule has a function for each place it has something to say about and None for the rest:

    system   one system block           -> the block without its metadata, or None when nothing is left
    head     system and tools, and the head that this conversation sent last (None for its first request) -> the head
             that goes upstream, and notices of what it no longer says: they are told in the newest turn
    tools    the tools of a request     -> the same tools as this conversation first saw them
    message  one message, by itself     -> what the model is meant to read of it. Runs before identity is
             taken, so what it drops can never part two prompts; its result depends on the message alone
    turn     a whole turn, new to the conversation -> the turn as it goes upstream; may ask what the
             server generated (`Memory`)
    marks    the cache markers of a request, for providers that keep only what is marked
    misplaced  those markers as the caller set them -> True when this is why they lose the cache
    options  what a request asks for besides its words, and what its conversation asked for last
    keeps    kinds of change in an old turn (`core.sketch.ChangeKind`) that are not the client's meaning: the turn then
             goes as the model has read it
    names    a difference that broke the prefix -> True when this rule's cause explains it

Every function returns a `Fix`: the value, and an Edit for each thing it changed. A fix applied to its own
result changes nothing more.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from keepwarm.core.answer import Answer
from keepwarm.core.diff import Difference
from keepwarm.core.marks import Row
from keepwarm.core.prompt import Edit, Head, Message, Notice, Options, SystemBlock, Tool, Turn
from keepwarm.core.sketch import ChangeKind

V = TypeVar("V")
PLACES: Final = ("system", "head", "tools", "message", "turn", "options", "marks")
"""The functions of a rule that change something."""


class Safety(enum.IntEnum):
    """What a fix does to what the model reads."""

    EXACT = 1
    """The same words: metadata never meant for the model goes, shapes become canonical."""
    ORDER = 2
    """The same words at another place, or in the order first seen."""
    MEANING = 3
    """The words change: a date frozen, a counter dropped."""


class Fix(msgspec.Struct, Generic[V], frozen=True):
    """What a rule made of a value."""

    value: V
    edits: tuple[Edit, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    """Values lifted out of the prompt, to go on as HTTP headers and into the ledger."""


class HeadFix(msgspec.Struct, frozen=True):
    """What a rule made of a head."""

    head: Head
    edits: tuple[Edit, ...] = ()
    notices: tuple[Notice, ...] = ()
    """What the head no longer says."""


class Memory(Protocol):
    """What the server generated in this conversation."""

    @property
    def calls(self) -> tuple[str, ...]:
        """The ids of the tool calls that the turn before made, in their order, as the client knows them."""

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held the tool call with this id."""

    def by_text(self, text: str) -> Answer | None:
        """The answer whose text was this (white space at its ends aside), when it held no tool call."""

    def cut(self) -> Answer | None:
        """The answer that broke off at the place of this turn, because the client hung up."""


class FirstSeen(msgspec.Struct, frozen=True):
    """The tools of a conversation as it first showed them: (name, identity digest, tool) in order."""

    tools: tuple[tuple[str, bytes, Tool], ...] = ()
    hold: bool = False
    """Whether a tool that is not among them is to be held back: the user asks for it, and nothing else in the head
    changes."""


class Rule(msgspec.Struct, frozen=True):
    """One cause of a lost cache, and what mends it."""

    code: str
    name: str
    safety: Safety
    page: str
    """Markdown: what it does, why it costs you, example, what goes upstream instead, when it is wrong, source."""
    on: bool = True
    """Whether it is applied when nothing is configured."""
    system: Callable[[SystemBlock], Fix[SystemBlock | None]] | None = None
    head: Callable[[Head, Head | None], HeadFix] | None = None
    tools: Callable[[tuple[Tool, ...], FirstSeen], Fix[tuple[Tool, ...]]] | None = None
    message: Callable[[Message], Fix[Message]] | None = None
    turn: Callable[[Turn, Memory], Fix[Turn]] | None = None
    options: Callable[[Options, Options | None], Fix[Options]] | None = None
    marks: Callable[[Row], Fix[Row]] | None = None
    misplaced: Callable[[Row], bool] | None = None
    keeps: tuple[ChangeKind, ...] = ()
    names: Callable[[Difference], bool] | None = None
    beside: str = ""
    """What it mends that is no edit of the prompt: "the slot of a conversation"; "" for nothing."""

    @property
    def mends(self) -> bool:
        """Whether it changes what is sent, or where it goes; else it names a cause and nothing more."""
        return bool(self.beside or self.keeps) or any(getattr(self, place) is not None for place in PLACES)
