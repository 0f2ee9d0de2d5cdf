"""Where a view parts from the one before it, in the order in which models read: the truth that detectors are held to.

What no template shows parts nothing: `cache_control`, a string against a list with one text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import msgspec

from keepwarm.testing.scenarios.view import Call, Image, Message, Part, Result, Text, Thinking, Tool, View


class Place(msgspec.Struct, frozen=True):
    """Something in a view, by its tag."""

    kind: Literal["model", "system", "tool", "message", "part", "end"]
    tag: str = ""
    """Of the system block, tool, message or part; "" for the end of the system prompt or of the tools. Of the kind
    "end" it is the message's, behind whose last part something is gone."""
    gone: str = ""
    """The tag of the part that stood there before."""
    field: Literal["", "words", "description", "schema"] = ""
    """"": the thing itself, which is new, gone, or another than the one that stood there."""


class Cause(msgspec.Struct, frozen=True):
    """One cause in one request."""

    code: str
    """The rule: "VOL001"."""
    path: str
    """JSON pointer to the first place where the body differs for it; "" where the client changed nothing."""
    fixable: bool
    """Whether a gateway can send what was sent before."""
    behind: str = ""
    """Where something is gone and `path` is what stands there now: what it stood behind."""
    across: bool = False
    """True where the request is the first of its conversation, and parts from another session's."""


class Truth(msgspec.Struct, frozen=True):
    """What is true of one request."""

    causes: tuple[Cause, ...] = ()
    before: int | None = None
    """The number of the request that it goes on from; None for the first of a conversation."""

    @property
    def clean(self) -> bool:
        """Whether nothing must be found."""
        return not self.causes


def first_difference(before: View, after: View) -> Place | None:
    """The first place of `after` that is not what `before` shows; None when it only goes on.

    before  the older view with the answer to it, as it was generated, behind its messages
    """
    if before.model != after.model:
        return Place("model")
    return head_difference(before, after) or _of_messages(before.messages, after.messages)


def head_difference(before: View, after: View) -> Place | None:
    """The same for the system prompt and the tools alone: two conversations share no more."""
    return _of_system(before.system, after.system) or _of_tools(before.tools, after.tools)


def _of_system(before: Sequence[Text], after: Sequence[Text]) -> Place | None:
    for old, new in zip(before, after, strict=False):
        if old.text != new.text:
            return Place("system", new.tag, field="words" if old.tag == new.tag else "")
    if len(before) == len(after):
        return None
    return Place("system", after[len(before)].tag if len(after) > len(before) else "")


def _of_tools(before: Sequence[Tool], after: Sequence[Tool]) -> Place | None:
    for old, new in zip(before, after, strict=False):
        if old.name != new.name:
            return Place("tool", new.name)
        if old.description != new.description:
            return Place("tool", new.name, field="description")
        if json.dumps(old.schema) != json.dumps(new.schema):
            return Place("tool", new.name, field="schema")
    if len(before) == len(after):
        return None
    return Place("tool", after[len(before)].name if len(after) > len(before) else "")


def _of_messages(before: Sequence[Message], after: Sequence[Message]) -> Place | None:
    for old, new in zip(before, after, strict=False):
        if old.role != new.role:
            return Place("message", new.tag)
        if (place := _of_parts(old, new)) is not None:
            return place
    return None


def _of_parts(before: Message, after: Message) -> Place | None:
    for old, new in zip(before.parts, after.parts, strict=False):
        if type(old) is not type(new) or _name(old) != _name(new):
            return Place("part", new.tag, old.tag)
        if _words(old) != _words(new):
            return Place("part", new.tag, field="words")
    if len(before.parts) == len(after.parts):
        return None
    if len(after.parts) > len(before.parts):
        return Place("part", after.parts[len(before.parts)].tag)
    return Place("end", after.tag)


def _name(part: Part) -> str:
    """What a part goes by besides its words."""
    match part:
        case Call(name, _, tag):
            return f"{tag} {name}"
        case Result(call):
            return call
        case _:
            return ""


def _words(part: Part) -> str:
    match part:
        case Text(text) | Thinking(text) | Result(_, text):
            return text
        case Call(_, arguments):
            return arguments
        case Image(data):
            return data
