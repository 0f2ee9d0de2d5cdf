"""JSON as people write it in settings: comments and trailing commas are read where the program that owns it reads them.

The tree holds places, not values: `jsonc_edit.py` changes the text at them and leaves every other character alone.
A key that stands twice counts where it stands last, as JSON.parse has it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple, TypeAlias

from keepwarm.errors import SettingsError

Kind: TypeAlias = Literal["object", "array", "string", "number", "word"]
DEEPEST = 200
"""Values within values that are followed; a settings file has five."""

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<comment>//[^\r\n]*|/\*.*?\*/)"
    r'|(?P<string>"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
    r"|(?P<mark>[{}\[\],:])",
    re.DOTALL,
)
_WANTED = {
    "value": "a value",
    "value or ]": "a value or ]",
    "key": "a key in double quotes",
    "key or }": "a key in double quotes, or }",
    "colon": "a colon",
    "comma": "a comma or the closing bracket",
    "end": "the end of the file",
}


class Dialect(NamedTuple):
    """What a program reads beside strict JSON."""

    comments: bool = False
    trailing_commas: bool = False
    blocks: bool = True
    """Whether comments may be /* ... */ too, where there may be comments."""


STRICT = Dialect()
"""What JSON.parse reads."""
JSONC = Dialect(comments=True, trailing_commas=True)
"""What jsonc-parser reads."""


class Member(NamedTuple):
    """A key and its value."""

    key: str
    start: int
    """Where the key's opening quote is."""
    colon: int
    """Behind the key's closing quote."""
    value: Node


class Node(NamedTuple):
    """A value: text[start:end]."""

    start: int
    end: int
    kind: Kind
    members: tuple[Member, ...] = ()
    """Of an object, in the order of the text."""
    items: tuple[Node, ...] = ()
    """Of an array."""
    comma: int = 0
    """Of an object or array: behind its trailing comma; 0 when it has none."""

    def get(self, key: str) -> Node | None:
        """The value of a key, the last one where it stands twice."""
        return next((member.value for member in reversed(self.members) if member.key == key), None)


class _Open:
    """An object or array that is not closed yet."""

    def __init__(self, start: int, kind: Kind) -> None:
        self.start, self.kind = start, kind
        self.members: list[Member] = []
        self.items: list[Node] = []
        self.key: tuple[str, int, int] = ("", 0, 0)
        self.comma = 0

    def take(self, node: Node) -> None:
        if self.kind == "object":
            self.members.append(Member(*self.key, node))
        else:
            self.items.append(node)

    def close(self, end: int) -> Node:
        return Node(self.start, end, self.kind, tuple(self.members), tuple(self.items), self.comma)


def parse(text: str, dialect: Dialect = STRICT) -> Node | None:
    """The one value of a text; None when there is nothing but white space and comments.

    Raises SettingsError with line and column of what `dialect` does not read.
    """
    return _Reader(text, dialect).read()


class _Reader:
    """One walk over the tokens; `_awaits` is what the grammar takes next."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text, self._dialect = text, dialect
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._awaits = "value"

    def read(self) -> Node | None:
        at, text, match = 0, self._text, _TOKEN.match
        while at < len(text):
            token = match(text, at)
            if token is None:
                raise fault(text, at, self._unreadable(at))
            kind = token.lastgroup
            if kind == "comment":
                self._allow_comment(at)
            if kind not in ("space", "comment"):
                self._take(str(kind), token.group(), at, token.end())
            at = token.end()
        if self._root is None and self._stack:
            last = self._stack[-1]
            bracket = "{" if last.kind == "object" else "["
            line, column = place(text, last.start)
            raise fault(text, at, f"the file ends within the {bracket} of line {line}, column {column}")
        return self._root

    def _allow_comment(self, at: int) -> None:
        if not self._dialect.comments:
            raise fault(self._text, at, "a comment, which strict JSON does not have")
        if not self._dialect.blocks and self._text.startswith("/*", at):
            raise fault(self._text, at, "a comment as /* ... */, where only // is read")

    def _take(self, kind: str, said: str, start: int, end: int) -> None:
        awaits = self._awaits
        if kind == "mark":
            self._mark(said, start, end)
        elif kind == "string" and awaits in ("key", "key or }"):
            self._stack[-1].key = (json.loads(said), start, end)
            self._awaits = "colon"
        elif awaits in ("value", "value or ]"):
            self._put(Node(start, end, kind))  # type: ignore[arg-type]
        else:
            raise self._expected(start)

    def _mark(self, mark: str, start: int, end: int) -> None:
        awaits = self._awaits
        if mark in "{[" and awaits in ("value", "value or ]"):
            if len(self._stack) >= DEEPEST:
                raise fault(self._text, start, f"values within values, more than {DEEPEST} deep")
            self._stack.append(_Open(start, "object" if mark == "{" else "array"))
            self._awaits = "key or }" if mark == "{" else "value or ]"
        elif mark in "}]" and self._closes(mark, start):
            self._put(self._stack.pop().close(end))
        elif mark == "," and awaits == "comma":
            self._stack[-1].comma = end
            self._awaits = "key" if self._stack[-1].kind == "object" else "value"
        elif mark == ":" and awaits == "colon":
            self._awaits = "value"
        else:
            raise self._expected(start)

    def _closes(self, mark: str, at: int) -> bool:
        """Whether a closing bracket may stand here."""
        within = self._stack[-1] if self._stack else None
        if within is None or within.kind != ("object" if mark == "}" else "array"):
            return False
        if self._awaits in ("comma", "key or }", "value or ]"):
            within.comma = 0
            return True
        if not within.comma or self._awaits != ("key" if mark == "}" else "value"):
            return False
        if not self._dialect.trailing_commas:
            raise fault(self._text, within.comma - 1, f"a comma in front of {mark}, which strict JSON does not have")
        return True

    def _put(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].take(node)
            self._awaits = "comma"
        else:
            self._root, self._awaits = node, "end"

    def _unreadable(self, at: int) -> str:
        text = self._text
        if text.startswith("/*", at):
            return "a comment that never ends"
        if text[at] == '"':
            return "a string that is not closed on its line, or holds a control character or an unknown escape"
        if text[at] == "'":
            return "single quotes, where JSON has double quotes"
        return f"{text[at]!r} where {_WANTED[self._awaits]} is expected"

    def _expected(self, at: int) -> SettingsError:
        return fault(self._text, at, f"{self._text[at]!r} where {_WANTED[self._awaits]} is expected")


def place(text: str, at: int) -> tuple[int, int]:
    """(line, column) of a character, both from 1. A line ends at LF, CR LF or CR."""
    before = text[:at].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def fault(text: str, at: int, what: str) -> SettingsError:
    """The error for what stands at a character."""
    line, column = place(text, at)
    return SettingsError(f"line {line}, column {column}: {what}", line=line, column=column)


def value_of(text: str, node: Node) -> Any:
    """What a value means, as JSON.parse would give it."""
    try:
        return json.loads(text[node.start : node.end])
    except ValueError:  # comments or commas, which are somewhere further in
        pass
    if node.kind == "object":
        return {member.key: value_of(text, member.value) for member in node.members}
    if node.kind == "array":
        return [value_of(text, item) for item in node.items]
    return json.loads(text[node.start : node.end])
