"""`keepwarm statusline`: one short line for an agent's status line, of the session that is asking.

    keepwarm 97.9% reused, last lost: HIS005, 3 requests ago

Claude Code runs the command after each turn with a JSON object on standard input (its `session_id` among others) and
shows what it prints. So whatever is wrong, it prints one line and ends well.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
from collections.abc import Sequence

from keepwarm.ledger.glance import Glance, default_path, glance
from keepwarm.views import words

NOTHING_YET = "keepwarm: no requests yet"


def line(seen: Glance | None) -> str:
    """What is shown of a session."""
    if seen is None:
        return NOTHING_YET
    if not seen.prompt_tokens:
        return f"keepwarm: {words.times(seen.requests, 'request')}, the server does not say what it reused"
    shown = f"keepwarm {words.share(seen.cached_tokens, seen.prompt_tokens)} reused"
    if not seen.lost_tokens:
        return f"{shown}, nothing lost"
    ago = "just now" if not seen.since else f"{words.times(seen.since, 'request')} ago"
    return f"{shown}, last lost: {words.clean(seen.cause) or 'no known cause'}, {ago}"


def session_of(said: str) -> str:
    """The session in what Claude Code writes to the command; "" when it says none.

    Read by hand: to import `json` takes longer than everything else here. A quoted text can hold no such key, since
    its quotes are escaped there.
    """
    rest = said.partition('"session_id"')[2].lstrip()
    if not rest.startswith(":") or not (rest := rest[1:].lstrip()).startswith('"'):
        return ""
    name, end, _ = rest[1:].partition('"')
    return name if end and "\\" not in name else ""


def draw(arguments: Sequence[str]) -> str:
    """The line for `keepwarm statusline ARGUMENTS`, with the session on standard input.

    arguments  --ledger FILE, --config FILE
    """
    try:
        said = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
        try:
            ledger = _ledger(arguments)
        except (OSError, ValueError) as error:  # tomllib's are ValueErrors
            return words.clean(f"keepwarm: the settings cannot be read ({error})")
        return line(glance(ledger, session_of(said)))
    except (sqlite3.Error, OSError, ValueError) as error:
        return words.clean(f"keepwarm: the ledger cannot be read ({error})")


def main(arguments: Sequence[str]) -> None:
    """Print the line. An error would take the place of the agent's own status line, so there is none."""
    shown = draw(arguments)
    try:
        sys.stdout.write(f"{shown}\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        os._exit(0)  # whoever wanted the line is gone


def _ledger(arguments: Sequence[str]) -> str:
    """The ledger's file: as it is given, as keepwarm.toml has it, or where it is by default."""
    words_given = [part for one in arguments for part in one.split("=", 1)]
    given = dict(itertools.pairwise(words_given))
    if named := given.get("--ledger"):
        return os.path.expanduser(named)
    file = given.get("--config", "keepwarm.toml")
    if os.path.isfile(file):
        import tomllib

        with open(file, "rb") as text:
            path = tomllib.load(text).get("ledger", {}).get("path")
        if isinstance(path, str) and path:
            return os.path.expanduser(path)
    return default_path()
