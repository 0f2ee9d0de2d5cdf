"""Sessions in which the real Claude Code changes what it has sent before, each by one of its habits.

What changes, and when, is the client's own doing; a session only brings it about: a day that ends, old tool output
that fills the window, a project under git, tools that are loaded or come late, a compaction, a fork. As in
`claude_sessions`, tool calls are real and written as a model writes them, and the words are our own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from keepwarm.testing import gauge_server
from keepwarm.testing.answers import Answer, MarkerScript, Script, content_text
from keepwarm.testing.claude_code import ClaudeCode, ClaudeRun
from keepwarm.testing.claude_sessions import TITLE, call
from keepwarm.testing.shifted_clock import ShiftedClock, shift

SUMMARY: Final = (
    "<analysis>\nThere is not much to it.\n</analysis>\n\n<summary>\n"
    "The user had the pump house looked after; the notes say that valve seven is done and the gauge is read.\n"
    "</summary>"
)
"""The answer to a request for a summary."""
DAY: Final = datetime(2026, 3, 14, 23, 58, tzinfo=UTC)
"""When a session begins that sees midnight."""
MORNING: Final = datetime(2026, 3, 15, 0, 1, tzinfo=UTC)
"""When it ends."""
LAST: Final = "{last}"
FIRST: Final = "{first}"
"""In flags: the session id of the process before, and of the first one."""


class Process(msgspec.Struct, frozen=True):
    """One process of the client."""

    turns: tuple[str, ...]
    """What is typed: words with the marker of the script that answers them, or a command of the client."""
    flags: tuple[str, ...] = ()
    """Its options; they may hold `LAST` and `FIRST`."""


class Habit(msgspec.Struct, frozen=True):
    """One scripted session."""

    processes: tuple[Process, ...]
    scripts: Mapping[str, tuple[Answer, ...]]
    """The model's answers in their order, by marker; the last of each calls no tool."""
    seeds: Mapping[str, str] = {}
    """Files that lie in the folder at the start."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What is run in the folder after that."""
    environment: Mapping[str, str] = {}
    """What the client's environment holds besides its own."""

    def prepare(self, workdir: Path) -> None:
        """Lays out the folder."""
        workdir.mkdir(parents=True, exist_ok=True)
        for name, text in self.seeds.items():
            (workdir / name).write_text(text)
        for command in self.commands:
            subprocess.run(command, cwd=workdir, check=True, capture_output=True)

    async def walk(self, agent: ClaudeCode, timeout: float = 300.0) -> list[str]:
        """Play all processes, one after the other; gives what shows that one did not go its whole way."""
        faults: list[str] = []
        ids: list[str] = []
        for process in self.processes:
            names = {LAST: ids[-1], FIRST: ids[0]} if ids else {}
            flags = [names.get(flag, flag) for flag in process.flags]
            run = await agent.converse(process.turns, flags=flags, timeout=timeout)
            faults += self.faults(process, run)
            ids.append(run.session_id() or "")
        return faults

    def faults(self, process: Process, run: ClaudeRun) -> list[str]:
        """What shows that a process did not walk through its turns; empty when all is well."""
        found = [f"Claude Code ended with {run.returncode}: {run.stderr[-500:]}"] if run.returncode else []
        found += [f"a tool failed: {str(block.get('content'))[:300]}" for block in run.tool_errors()]
        said = [result.get("result") for result in run.results()]
        if said != (wanted := [self._closing_words(turn) for turn in process.turns]):
            found.append(f"the turns ended with {said}, not with {wanted}")
        return found

    def _closing_words(self, turn: str) -> str:
        _, _, marker = turn.rpartition("SCRIPT ")
        return self.scripts[marker][-1].text if marker in self.scripts else ""

    def script(self) -> Script:
        """The model's side; a request for a summary gets one, a call without tools a title."""
        by_marker = MarkerScript(self.scripts, default=Answer("There is nothing more to say."), side=Answer(TITLE))

        def answer(request: dict[str, Any]) -> Answer:
            words = content_text(request["messages"][-1].get("content"))
            return Answer(SUMMARY) if "<summary>" in words else by_marker(request)

        return answer


def midnight(workdir: Path) -> Habit:
    """A day ends between two tool calls; a second process then goes on in the new one."""
    clock = ShiftedClock(workdir / "clock")
    waiting = call("Bash", description="Wait for the night", command=f"cd {workdir} && cp morning clock")
    return Habit(
        processes=(
            Process(("Look at the pump house. SCRIPT one", "Wait for the night shift. SCRIPT two")),
            Process(("Go on in the morning. SCRIPT three",), ("-c",)),
        ),
        scripts={
            "one": (_looking(workdir), Answer("There are notes.")),
            "two": (Answer("I wait.", tool_calls=(waiting,)), _looking(workdir), Answer("The night is over.")),
            "three": (_looking(workdir), Answer("Good morning.")),
        },
        seeds={"notes.txt": "valve: seven\n", "clock": shift(DAY), "morning": shift(MORNING)},
        environment=clock.environment(),
    )


def pruned(workdir: Path) -> Habit:
    """Five long files are read: then 2.1.39 takes the oldest results away, and puts a note in their place.

    It does so when what it would take away is long (by its own count, four characters a token) and the window is
    nearly full (by the server's count). Long lines of one sign are much by the first count and little by the second,
    and the window is made small by the client's own setting.
    """
    logs = {f"log{n}.txt": "".join(f"{line} {'=' * 400} {n}\n" for line in range(140)) for n in range(5)}
    reading = [
        Answer(f"Log {n} now.", tool_calls=(call("Read", file_path=str(workdir / name)),))
        for n, name in enumerate(logs)
    ]
    return Habit(
        processes=(
            Process(("Read the logs, one after the other. SCRIPT one", "What lies beside them? SCRIPT two")),
            Process(("Once more. SCRIPT three",), ("-c",)),
        ),
        scripts={
            "one": (*reading, Answer("All five say the same.")),
            "two": (_looking(workdir), Answer("Nothing else.")),
            "three": (Answer("Nothing has changed."),),
        },
        seeds=logs,
        environment={"CLAUDE_AUTOCOMPACT_PCT_OVERRIDE": "26"},
    )


def under_git(workdir: Path) -> Habit:
    """A project under git is worked on, and a second process goes on with the session."""
    writing = call("Write", content="valve: eight\n", file_path=str(workdir / "more.txt"))
    return Habit(
        processes=(
            Process(("Note valve eight. SCRIPT one", "Look again. SCRIPT two")),
            Process(("What is left to do? SCRIPT three",), ("-c",)),
        ),
        scripts={
            "one": (Answer("I write it down.", tool_calls=(writing,)), Answer("Noted.")),
            "two": (_looking(workdir), Answer("Two notes.")),
            "three": (_looking(workdir), Answer("Commit the new note.")),
        },
        seeds={"notes.txt": "valve: seven\n"},
        commands=(("git", "init", "-q", "-b", "main"), ("git", "add", "."), (*_AS_US, "commit", "-qm", "First notes")),
    )


_AS_US: Final = ("git", "-c", "user.name=Us", "-c", "user.email=us@pump.house")


def searching(workdir: Path) -> Habit:
    """Deferred tools are loaded by ToolSearch: the client's own and those of a server, one of which comes late."""
    return Habit(
        processes=(
            Process(("Read the gauge. SCRIPT one", "Now set it to zero. SCRIPT two"), _with_gauges()),
            Process(("Is anything planned? SCRIPT three",), ("-c", *_with_gauges())),
        ),
        scripts={
            "one": (
                _looking(workdir),
                _loading("mcp__gauges__read_gauge"),
                Answer("Now I read it.", tool_calls=(call("mcp__gauges__read_gauge", name="north"),)),
                _looking(workdir),
                Answer("It stands at 7 bar."),
            ),
            "two": (
                _loading("mcp__gauges__reset_gauge"),
                Answer(tool_calls=(call("mcp__gauges__reset_gauge", name="north"),)),
                Answer("It is set to zero."),
            ),
            "three": (
                _loading("CronList"),
                Answer(tool_calls=(call("CronList"),)),
                Answer("Nothing is planned."),
            ),
        },
        seeds={"notes.txt": "valve: seven\n"},
    )


def late_tools(workdir: Path) -> Habit:
    """A second process goes on with the session and has a server with tools that the first one had not."""
    return Habit(
        processes=(
            Process(("Look at the pump house. SCRIPT one",)),
            Process(("There is a gauge now: read it. SCRIPT two",), ("-c", *_with_gauges())),
        ),
        scripts={
            "one": (_looking(workdir), Answer("There are notes.")),
            "two": (
                Answer("I read it.", tool_calls=(call("mcp__gauges__read_gauge", name="north"),)),
                _looking(workdir),
                Answer("It stands at 7 bar."),
            ),
        },
        seeds={"notes.txt": "valve: seven\n"},
    )


def compacted(workdir: Path) -> Habit:
    """The user compacts the conversation and goes on, in the same process and in another."""
    return Habit(
        processes=(
            Process(
                (
                    "Look at the pump house. SCRIPT one",
                    "And once more. SCRIPT two",
                    "/compact",
                    "Go on. SCRIPT three",
                )
            ),
            Process(("Go on tomorrow. SCRIPT four",), ("-c",)),
        ),
        scripts={
            name: (_looking(workdir), Answer(thinking="That is all.", text=f"Seen, {name}."))
            for name in ("one", "two", "three", "four")
        },
        seeds={"notes.txt": "valve: seven\n"},
    )


def cleared(workdir: Path) -> Habit:
    """The user clears the conversation and begins another one."""
    return Habit(
        processes=(Process(("Look at the pump house. SCRIPT one", "/clear", "Look at the river. SCRIPT two")),),
        scripts={name: (_looking(workdir), Answer(f"Seen, {name}.")) for name in ("one", "two")},
        seeds={"notes.txt": "valve: seven\n"},
    )


def forked(workdir: Path) -> Habit:
    """A session is forked under another id; then the first one goes on, and then the fork, each in its own process."""
    return Habit(
        processes=(
            Process(("Look at the pump house. SCRIPT one", "And once more. SCRIPT two")),
            Process(("Try the other way. SCRIPT three",), ("--resume", LAST, "--fork-session")),
            Process(("Go on as before. SCRIPT four",), ("--resume", FIRST)),
            Process(("And here as well. SCRIPT five",), ("--resume", LAST)),
        ),
        scripts={
            name: (_looking(workdir), Answer(thinking="That is all.", text=f"Seen, {name}."))
            for name in ("one", "two", "three", "four", "five")
        },
        seeds={"notes.txt": "valve: seven\n"},
    )


def _looking(workdir: Path) -> Answer:
    listing = call("Bash", description="Look around", command=f"cd {workdir} && ls")
    return Answer(thinking="See what is there.", text="I look.", tool_calls=(listing,))


def _loading(*names: str) -> Answer:
    return Answer("I need a tool.", tool_calls=(call("ToolSearch", query=f"select:{','.join(names)}", max_results=5),))


def _with_gauges() -> tuple[str, ...]:
    server = {"command": sys.executable, "args": [gauge_server.__file__]}
    return ("--mcp-config", json.dumps({"mcpServers": {"gauges": server}}))
