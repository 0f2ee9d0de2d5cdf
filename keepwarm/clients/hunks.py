"""A unified diff of an edited settings file, made from the edits themselves, with everything secret hidden.

The edits say which lines differ, so a file of many megabytes costs no more than its changed lines. What stands beside
them is shown too, and may be a key: values whose names or shapes say so are replaced.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from keepwarm.codec.jsonc_edit import Change, edited

CONTEXT = 3
"""Unchanged lines that are shown around a change."""
WIDEST = 160
"""Characters of a line that are shown; a file may be one line."""
_NAME = r"[^\"\\]*(?:key|token|secret|passw|credential|auth|cookie|headers?)[^\"\\]*"
_SECRET = re.compile(rf'("{_NAME}"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_SHAPE = re.compile(
    r"\b(?:sk|pk|ghp|gho|xox[abp]|AKIA|glpat|hf|key)[-_][A-Za-z0-9_-]{8,}"
    # A long word of letters and figures that is no path and no sentence, wherever it stands.
    r'|(?<=")(?=[^"\s]*[0-9])(?=[^"\s]*[A-Za-z])[A-Za-z0-9_+=.-]{24,}(?=")'
)
_BEARER = re.compile(r"(Bearer\s+)[^\s\"]+|(://[^/\s:@\"]*:)[^\s\"@/]+(?=@)", re.IGNORECASE)
_SHOWN = frozenset({'"0"', '"1"', '"keepwarm"', '"manual"', '""'})
"""Values that are no secret: switches, and the word that stands in for a key."""


def hidden(line: str) -> str:
    """A line without what may be a secret."""

    def hide(found: re.Match[str]) -> str:
        value = found.group()[len(found.group(1)) :]
        return found.group() if value in _SHOWN else f'{found.group(1)}"(hidden)"'

    return _BEARER.sub(
        lambda found: f"{found.group(1) or found.group(2)}(hidden)", _SHAPE.sub("(hidden)", _SECRET.sub(hide, line))
    )


def unified(name: str, text: str, changes: Sequence[Change], new: bool = False) -> tuple[str, ...]:
    """The diff's lines, without line ends.

    new  the file is not there yet
    """
    if not changes:
        return ()
    lines = ["--- /dev/null" if new else f"--- {name}", f"+++ {name}"]
    shift = 0
    for start, end, group in _groups(text, changes):
        before = text[start:end]
        moved = [Change(one.start - start, one.end - start, one.text) for one in group]
        after = edited(before, moved)
        olds, news = _lines(before), _lines(after)
        first = _line_number(text, start)
        lines += _hunk(olds, news, first, first + shift)
        shift += len(news) - len(olds)
    return tuple(lines)


def _groups(text: str, changes: Sequence[Change]) -> list[tuple[int, int, list[Change]]]:
    """(from, to, changes): whole lines with their context; changes whose contexts touch are one group."""
    groups: list[tuple[int, int, list[Change]]] = []
    for change in sorted(changes, key=lambda one: (one.start, one.end)):
        start, end = _back(text, change.start), _forth(text, change.end)
        if groups and start <= groups[-1][1]:
            groups[-1] = (groups[-1][0], max(end, groups[-1][1]), [*groups[-1][2], change])
        else:
            groups.append((start, end, [change]))
    return groups


def _back(text: str, at: int) -> int:
    for _ in range(CONTEXT + 1):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _forth(text: str, at: int) -> int:
    for _ in range(CONTEXT + 1):
        at = text.find("\n", at) + 1
        if not at:
            return len(text)
    return at


def _line_number(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _hunk(olds: list[str], news: list[str], old_first: int, new_first: int) -> list[str]:
    body: list[str] = []
    for line in list(difflib.unified_diff(olds, news, n=CONTEXT, lineterm=""))[2:]:
        if line.startswith("@@"):
            if body:
                body.append("@@ ...")
            continue
        body.append(line)
    if len(olds) == len(news) == 1:
        body = _around(olds[0], news[0])
    old_at = old_first if olds else old_first - 1
    head = f"@@ -{old_at},{len(olds)} +{new_first},{len(news)} @@"
    return [head, *(_cut(line[:1] + hidden(line[1:].rstrip("\r"))) for line in body)]


def _around(old: str, new: str) -> list[str]:
    """One long line: the part that differs, with what stands around it."""
    if max(len(old), len(new)) <= WIDEST:
        return [f"-{old}", f"+{new}"]
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    # From a quote on: half a value would not show that it is a secret.
    start = max(0, same - WIDEST // 4)
    if start:
        quote = old.find('"', start, same)
        start = quote if quote >= 0 else same
    lead = "..." if start else ""
    return [f"-{lead}{old[start:]}", f"+{lead}{new[start:]}"]


def _cut(line: str) -> str:
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 3]}..."
