"""What a Markdown page tells its reader to type, so that a test can hold it against what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^ {0,3}(```|~~~)[^\n]*\n(.*?)^ {0,3}\1", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
# Behind a prompt sign, a path or settings of the environment, a command is still that command.
_LEADING = re.compile(r"^(?:[$>] +)?(?:[A-Z][A-Z0-9_]*=\S* +)*(?:\S*/)?(?=(?:keepwarm|make)(?: |$))")


def command_lines(markdown: str) -> Iterator[str]:
    """Each line of each code block, then each code span of the prose, that starts with `make` or `keepwarm`.

    Prompt signs, environment settings and the command's folder are left off; a continued line is joined.
    """
    blocks = [match[2].replace("\\\n", " ") for match in _FENCE.finditer(markdown)]
    prose = _FENCE.sub("", markdown)
    candidates = [line.strip() for block in blocks for line in block.splitlines()] + _SPAN.findall(prose)
    for candidate in candidates:
        line = _LEADING.sub("", candidate)
        if line.split(" ")[0] in ("make", "keepwarm"):
            yield line


def make_targets(line: str) -> list[str]:
    """The targets that a `make` line asks for: no options, no settings, nothing behind a comment sign."""
    words = re.split(r"\s+(?:#|&&|\||;|&)", line)[0].split()[1:]
    return [word for word in words if not word.startswith("-") and "=" not in word]


def keepwarm_command(line: str) -> tuple[str, list[str]]:
    """The command ("" when only options follow) and the long options that a `keepwarm` line names."""
    words = re.split(r"\s+(?:#|&&|\||;|&)\s", line)[0].split()[1:]
    command = words[0] if words and not words[0].startswith(("-", "[")) else ""
    return command, [option for word in words for option in re.findall(r"^\[?(--[a-z][a-z-]*)", word)]
