"""Edit settings in place: which characters are put in or replaced so that some values stand in a JSON text.

    root = parse(text, JSONC)
    text = edited(text, changes(text, root, {"env": {"NAME": "0"}}))

Nothing is written anew: key order, comments, indentation and line ends stay as they are, and what is put in is laid
out like what stands around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keepwarm.codec.jsonc import Kind, Node, fault, value_of


class Change(NamedTuple):
    """text[start:end] becomes `text`."""

    start: int
    end: int
    text: str


def changes(text: str, root: Node | None, wanted: Mapping[str, Any]) -> list[Change]:
    """What makes every value of `wanted` stand in the text. An object within `wanted` is merged into the one there.

    Raises SettingsError where an object is wanted and something else stands.
    """
    layout = _Layout(text, root)
    if root is None:
        if not wanted:
            return []
        gap = layout.newline if text.strip() and not text.endswith(("\n", "\r")) else ""
        return [Change(len(text), len(text), gap + layout.document(wanted) + layout.newline)]
    if root.kind != "object":
        raise fault(text, root.start, f"the file holds {_an(root.kind)}, where an object is expected")
    found: list[Change] = []
    _merge(layout, root, wanted, found)
    return found


def edited(text: str, made: Sequence[Change]) -> str:
    """`text` with every change. Changes at one place stand there in the order given."""
    pieces: list[str] = []
    at = 0
    for change in sorted(made, key=lambda one: (one.start, one.end)):
        pieces += (text[at : change.start], change.text)
        at = change.end
    pieces.append(text[at:])
    return "".join(pieces)


def _merge(layout: _Layout, node: Node, wanted: Mapping[str, Any], found: list[Change]) -> None:
    new: dict[str, Any] = {}
    for key, value in wanted.items():
        there = node.get(key)
        if there is None:
            new[key] = value
        elif isinstance(value, Mapping):
            if there.kind != "object":
                said = f'"{key}" is {_an(there.kind)}, where an object is expected: mend it by hand first'
                raise fault(layout.text, there.start, said)
            _merge(layout, there, value, found)
        elif not _same(value_of(layout.text, there), value):
            found.append(Change(there.start, there.end, layout.written(value, there.start)))
    if new:
        found += layout.inserted(node, new)


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: JSON's 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _an(kind: Kind) -> str:
    return {"array": "an array", "object": "an object", "word": "true, false or null"}.get(kind, f"a {kind}")


class _Layout:
    """How the text is laid out, and what is put into it looks alike."""

    def __init__(self, text: str, root: Node | None) -> None:
        self.text = text
        ending = re.search(r"\r\n|\n|\r", text)
        self.newline = ending.group() if ending else "\n"
        self.unit = "  "
        self.lines = root is None or (ending is not None and "\n" in text.strip().replace("\r", "\n"))
        if root is not None:
            first = next((self.indent(member.start) for member in root.members), None)
            self.unit = first[len(self.indent_of_line(root.start)) :] or "  " if first else "  "

    def indent(self, at: int) -> str | None:
        """The white space in front of a character; None when something else stands before it on its line."""
        start = self._line_start(at)
        before = self.text[start:at]
        return before if not before.strip(" \t") and start else None

    def indent_of_line(self, at: int) -> str:
        """The white space that the line of a character begins with."""
        found = re.match(r"[ \t]*", self.text[self._line_start(at) : at])
        return found.group() if found else ""

    def document(self, value: Mapping[str, Any]) -> str:
        """A whole new document."""
        return self._several(value, "")

    def written(self, value: Any, at: int) -> str:
        """A value that stands at a character, over several lines where the text has lines."""
        return self._several(value, self.indent_of_line(at)) if self.lines else self._one_line(value, ": ", ", ")

    def inserted(self, node: Node, new: Mapping[str, Any]) -> list[Change]:
        """New members behind those that an object has."""
        if not node.members:
            return [self._filled(node, new)]
        last = node.members[-1]
        indent = self.indent(last.start)
        joint = self.text[last.colon : last.value.start]
        colon = joint if re.fullmatch(r" *: *", joint) else ": "
        if indent is None:
            return self._beside(node, new, colon)
        member = [f"{json.dumps(key, ensure_ascii=False)}{colon}{self._several(new[key], indent)}" for key in new]
        lines = [self.newline + indent + one for one in member]
        if node.comma:
            at = self._end_of_line(node.comma)
            return [Change(at, at, "".join(f"{line}," for line in lines))]
        at = self._end_of_line(last.value.end)
        return [Change(last.value.end, last.value.end, ","), Change(at, at, ",".join(lines))]

    def _beside(self, node: Node, new: Mapping[str, Any], colon: str) -> list[Change]:
        """New members on the line of the last one."""
        last = node.members[-1].value
        comma = ", "
        if len(node.members) > 1:
            between = self.text[node.members[-2].value.end : node.members[-1].start]
            comma = between if re.fullmatch(r", *", between) else comma
        elif colon == ":":
            comma = ","
        said = [f"{json.dumps(key, ensure_ascii=False)}{colon}{self._one_line(new[key], colon, comma)}" for key in new]
        if node.comma:
            return [Change(node.comma, node.comma, "".join(f"{comma[1:]}{one}," for one in said))]
        return [Change(last.end, last.end, "".join(f"{comma}{one}" for one in said))]

    def _filled(self, node: Node, new: Mapping[str, Any]) -> Change:
        """The first members of an object."""
        inside = self.text[node.start + 1 : node.end - 1]
        outer = self.indent_of_line(node.start)
        if not self.lines and node.start != len(self.text) - len(self.text.lstrip()):
            said = self._one_line(new, ": ", ", ")[1:-1]
            return Change(node.start + 1, node.start + 1, said)
        said = self._several(new, outer)
        # The closing bracket's own line is there already when something stands within.
        if inside.strip() or "\n" in inside or "\r" in inside:
            return Change(node.start + 1, node.start + 1, said[1 : -len(self.newline + outer + "}")])
        return Change(node.start + 1, node.end - 1, said[1:-1])

    def _several(self, value: Any, outer: str) -> str:
        said = json.dumps(value, ensure_ascii=False, indent=self.unit)
        return said.replace("\n", self.newline + outer)

    def _one_line(self, value: Any, colon: str, comma: str) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(comma, colon))

    def _line_start(self, at: int) -> int:
        return max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1

    def _end_of_line(self, at: int) -> int:
        """Behind the comments that follow on the same line."""
        found = re.compile(r"(?:[ \t]*(?://[^\r\n]*|/\*[^\r\n]*?\*/))*").match(self.text, at)
        return found.end() if found else at
