"""The words of the synthetic agent: its instructions, tools, files and tool results, all made here from a seed.

The project it works on is invented ("lantern", which reads the logs of small weather stations). Nothing is taken
from any vendor's prompt; only the shape is that of a coding agent.
"""

from __future__ import annotations

import random
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
"""One JSON object."""

WORKING_FOLDER: Final = "/lantern"

_SUBJECTS: Final = (
    "the station reader",
    "the hourly sum",
    "a missing sample",
    "the wind gauge",
    "the retry queue",
    "the log header",
    "each rain bucket",
    "the night report",
    "the unit table",
    "a late packet",
    "the calibration file",
    "the map layer",
)
_VERBS: Final = ("keeps", "drops", "reads", "checks", "rounds", "writes", "skips", "joins", "sorts", "holds", "counts")
_OBJECTS: Final = (
    "the last good value",
    "every second line",
    "the local time",
    "one row for each sensor",
    "the empty fields",
    "the pressure in hectopascal",
    "a short note",
    "the oldest entry first",
    "the station code",
    "both checksums",
)
_WHEN: Final = (
    "before the file is closed",
    "when the clock is set back",
    "unless the port is busy",
    "after midnight",
    "while the battery is low",
    "if the line ends early",
    "once per day",
    "until the next reset",
)
_NAMES: Final = ("reader", "gauge", "units", "report", "queue", "station", "calendar", "layers", "sample", "export")

_TOOLS: Final[tuple[tuple[str, str, Json, tuple[str, ...]], ...]] = (
    ("Agent", "Send a helper.",
     {"description": "string", "prompt": "string"}, ("prompt",)),
    ("Bash", "Run a shell command.",
     {"command": "string", "description": "string", "timeout": "number"}, ("command",)),
    ("Edit", "Replace text in a file.",
     {"replace_all": "boolean", "file_path": "string", "old_string": "string", "new_string": "string"},
     ("file_path",)),
    ("Glob", "Find files.", {"pattern": "string"}, ("pattern",)),
    ("Grep", "Search in files.", {"pattern": "string"}, ("pattern",)),
    ("Read", "Read a file.", {"file_path": "string"}, ()),
    ("Tasks", "List the tasks.", {"items": "array"}, ("items",)),
    ("Write", "Write a file.", {"file_path": "string", "content": "string"}, ("file_path",)),
    ("Ask", "Ask the user a question.", {"question": "string"}, ("question",)),
    ("Background", "Run a command in the background.", {"command": "string"}, ("command",)),
    ("Diff", "Show what has changed.", {"path": "string"}, ()),
    ("Fetch", "Read a page of the web.", {"url": "string", "question": "string"}, ("url",)),
    ("History", "Show earlier versions of a file.", {"file_path": "string", "limit": "number"}, ("file_path",)),
    ("Move", "Move a file.", {"source": "string", "target": "string"}, ("source", "target")),
    ("Notebook", "Change a cell of a notebook.", {"file_path": "string", "cell": "number", "text": "string"}, ()),
    ("Plan", "Show a plan and wait.", {"plan": "string"}, ("plan",)),
    ("Search", "Search the web.", {"query": "string"}, ("query",)),
    ("Stop", "Stop a background command.", {"id": "string"}, ("id",)),
    ("Test", "Run the project's tests.", {"pattern": "string", "timeout": "number"}, ()),
    ("Tree", "List a folder and what is in it.", {"path": "string", "depth": "number"}, ("path",)),
)  # fmt: skip
"""(name, what it does, its properties and their types, the required ones); the first eight are the ones used."""


def sentence(dice: random.Random) -> str:
    """One sentence of 6 to 14 words about the invented project."""
    parts = (dice.choice(_SUBJECTS), dice.choice(_VERBS), dice.choice(_OBJECTS), dice.choice(_WHEN))
    text = " ".join(parts)
    return text[0].upper() + text[1:] + "."


def phrase(dice: random.Random) -> str:
    """Two or three words: what a short description says."""
    return f"look at {dice.choice(_NAMES)}"


def prose(dice: random.Random, words: int) -> str:
    """Sentences of `words` words together, the last one cut short; none for 0."""
    made: list[str] = []
    while len(made) < words:
        made += sentence(dice).split(" ")
    return " ".join(made[:words])


def file_name(dice: random.Random) -> str:
    """A path inside the working folder."""
    return f"{WORKING_FOLDER}/{dice.choice(_NAMES)}.py"


def source_lines(dice: random.Random, words: int) -> list[str]:
    """Lines of something like code, of about `words` words together."""
    lines: list[str] = []
    count = 0
    while count < words:
        name = dice.choice(_NAMES)
        kind = dice.randrange(3)
        if kind == 0:
            lines.append(f"def {name}_{dice.choice(_NAMES)}(row, limit={dice.randrange(9)}):")
        elif kind == 1:
            lines.append(f"    # {sentence(dice)}")
        else:
            lines.append(f"    {name} = row[{dice.randrange(20)}] + {dice.choice(_NAMES)}")
        count += lines[-1].count(" ") + 1
    return lines


def numbered(lines: list[str]) -> str:
    """Lines as a file reader shows them: number, arrow, text."""
    return "\n".join(f"{number:>4}\u2192{line}" for number, line in enumerate(lines, 1))


def instructions(dice: random.Random, words: int) -> str:
    """The static part of the system prompt: headed sections of rules."""
    sections = ["You help a programmer with the project lantern. Use the tools, keep answers short."]
    for title in ("# Style", "# Tools", "# Care", "# Reports"):
        sections.append(title + "\n" + "\n".join(f"- {line}" for line in prose(dice, words // 4).split(". ")))
    return "\n\n".join(sections)


def environment(dice: random.Random, words: int) -> str:
    """What the agent says about the machine it runs on (an inline system message)."""
    facts = f"# Environment\nFolder: {WORKING_FOLDER}\nPlatform: linux\nDate: 23 November\n"
    return facts + prose(dice, words)


def tools(dice: random.Random, count: int, words: int) -> list[Json]:
    """`count` tools (8 to 20) in the Messages shape, each described in about `words` words more than its first line."""
    made: list[Json] = []
    for name, purpose, properties, required in sorted(_TOOLS[:count]):
        text = " ".join(part for part in (purpose, prose(dice, words)) if part)
        schema: Json = {
            "type": "object",
            "properties": {key: {"type": kind} for key, kind in properties.items()},
            "required": list(required),
        }
        made.append({"name": name, "description": text, "input_schema": schema})
    return made


def tool_result(dice: random.Random, name: str, words: int) -> str:
    """What a tool prints, of about `words` words."""
    if name == "Read":
        return numbered(source_lines(dice, words))
    if name in ("Edit", "Write"):
        return "Done. The file now reads:\n" + numbered(source_lines(dice, words // 2))
    if name in ("Grep", "Glob"):
        return "\n".join(f"{dice.choice(_NAMES)}.py: {line}" for line in source_lines(dice, words))
    return prose(dice, words).replace(". ", "\n")
