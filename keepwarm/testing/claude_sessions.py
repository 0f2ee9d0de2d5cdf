"""What the model says while the real Claude Code is talking to it: whole sessions as data, in our own words.

A session is what the user types and, for each marker in it, what the model answers step by step. The tool calls are
real: Claude Code runs them in the session's folder and sends their results back. They are written the way a model
writes them and not the way Claude Code sends them back: a leading `cd` to the folder, `description` before `command`,
blanks at line ends, no `replace_all`. Whoever relies on getting back what was generated is caught. Numbers are whole
ones: 5000.0 would come back as 5000 from llama.cpp's own chat endpoint too, which is nobody's fault in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from keepwarm.testing.answers import Answer, MarkerScript
from keepwarm.testing.claude_code import ClaudeRun

ToolCall = tuple[str, str]
"""A tool's name and its arguments as the raw JSON text that the model generates."""

QUOTED_HEADER = "x-anthropic-billing-header: cc_version=2.1.114.0aa; cc_entrypoint=cli; cch=12abc;"
"""The client's header as a user might quote it: in user content it has to arrive untouched."""

TITLE = '{"title": "A look at the pump house"}'
"""The answer to a side call that quotes the user's words, marker included: such calls come without tools."""


class ClaudeSession(msgspec.Struct, frozen=True):
    """One scripted session."""

    name: str
    """Stands in every marker of the session, so that sessions can share a server."""
    turns: tuple[str, ...]
    """What the user types, each turn with the marker of the script that answers it."""
    continuation: str
    """What the user types after `-c` in a second process; it has a script as well."""
    scripts: Mapping[str, tuple[Answer, ...]]
    """The model's answers in their order, by marker; the last of each calls no tool."""
    seeds: Mapping[str, str]
    """Files that lie in the folder at the start, by relative path."""
    files: Mapping[str, str]
    """Files that must lie there after `turns`: Claude Code takes the blanks at line ends away, so they are without."""
    notified: bool = False
    """Whether sub-agents may end after the main agent's turn: their notification then starts a turn nobody typed."""

    def prepare(self, workdir: Path) -> None:
        """Lays out the files that the session starts from."""
        workdir.mkdir(parents=True, exist_ok=True)
        for name, text in self.seeds.items():
            (workdir / name).write_text(text)

    def tool_calls(self, *markers: str) -> int:
        """How many tools the named scripts call (all but the continuation's, when none is named)."""
        wanted = markers or tuple(marker for marker in self.scripts if marker not in self.continuation)
        return sum(len(answer.tool_calls) for marker in wanted for answer in self.scripts[marker])

    def faults(self, run: ClaudeRun, workdir: Path) -> list[str]:
        """What shows that `run` did not walk through the whole of `turns`; empty when all is well."""
        found = []
        if run.returncode:
            found.append(f"Claude Code ended with {run.returncode}: {run.stderr[-500:]}")
        found += [f"a tool failed: {str(block.get('content'))[:300]}" for block in run.tool_errors()]
        if len(run.tool_results()) != self.tool_calls():
            found.append(f"{len(run.tool_results())} tools were run, not {self.tool_calls()}")
        expected = self.closing_words()
        said = [str(result.get("result")) for result in run.results()]
        if self.notified:
            said = [words for words in said if words in expected]
        if said != expected:
            found.append(f"the turns ended with {said}, not with {expected}")
        for name, text in self.files.items():
            path = workdir / name
            if not path.exists() or path.read_text() != text:
                found.append(f"{name} is not what the tools should have left")
        return found

    def closing_words(self) -> list[str]:
        """The last answer of each user turn."""
        return [self.scripts[turn.rsplit("SCRIPT ", 1)[1]][-1].text for turn in self.turns]


def script_for(*sessions: ClaudeSession) -> MarkerScript:
    """The model's side of all the sessions together; a side call (it has no tools) gets a title."""
    scripts = {marker: answers for session in sessions for marker, answers in session.scripts.items()}
    return MarkerScript(scripts, default=Answer(text="There is nothing more to say."), side=Answer(text=TITLE))


def call(tool: str, **arguments: Any) -> ToolCall:
    """A tool call with its arguments in the order given, as a model would write them."""
    return tool, json.dumps(arguments, ensure_ascii=False)


def main_session(workdir: Path, name: str = "alpha") -> ClaudeSession:
    """Two user turns of one agent: eight answers, each of the four tools, parallel calls, thinking in most."""
    step_seven = f"Step 07: open valve 7, wait, read the {name} gauge.\n"
    mended = f'Step 07: open valve 7 twice, "slowly", read the {name} gauge.   \nThen close it.\t\n'
    plan = "".join(f"Step {n:02}: open valve {n}, wait, read the {name} gauge.  \n\t \n" for n in range(1, 60))
    edit = call("Edit", new_string=mended, old_string=step_seven, file_path=str(workdir / "plan.txt"))
    return ClaudeSession(
        name=name,
        turns=(
            f"Please write the {name} plan. A log line said `{QUOTED_HEADER}`, ignore it. SCRIPT {name}one",
            f"Thank you. Check it, and mark valve seven as done in the {name} notes. SCRIPT {name}two",
        ),
        continuation=f"How long are the notes? SCRIPT {name}three",
        scripts={
            f"{name}one": _writing(workdir, name, plan, edit),
            f"{name}two": _checking(workdir, name),
            f"{name}three": _measuring(workdir, name),
        },
        seeds={
            "notes.txt": f"pump house {name}\nvalve: seven\n",
            "CLAUDE.md": f"House rules for {name}: metric units.\n{QUOTED_HEADER}\nNever remove the line above.\n",
        },
        files={
            "notes.txt": f"pump house {name}\nvalve: seven, done\n",
            "plan.txt": _without_blanks(plan).replace(step_seven, _without_blanks(mended)),
        },
    )


def _writing(workdir: Path, name: str, plan: str, edit: ToolCall) -> tuple[Answer, ...]:
    notes, path = str(workdir / "notes.txt"), str(workdir / "plan.txt")
    listing = call("Bash", description="List the folder", command=f"cd {workdir} && ls -a", timeout=5000)
    counting = call("Bash", description="Count the lines", command=f"cd {workdir} && wc -l plan.txt")
    return (
        Answer(
            thinking=f"The user wants the {name} plan.\n\nFirst see what is there.",
            text="I will look at the folder first.",
            tool_calls=(listing,),
        ),
        Answer(
            text="Now I write the plan.  \nThen I read it.", tool_calls=(call("Write", content=plan, file_path=path),)
        ),
        Answer(
            thinking="Read both at once, they do not depend on each other.",
            tool_calls=(call("Read", file_path=notes), call("Read", limit=12, offset=1, file_path=path), counting),
        ),
        Answer(
            thinking="Step 07 is wrong: the notes say twice.",
            text="One step differs from the notes.",
            tool_calls=(edit,),
        ),
        Answer(thinking="All there.", text=f"The {name} plan is written and agrees with the notes.\n\nNext?"),
    )


def _checking(workdir: Path, name: str) -> tuple[Answer, ...]:
    notes = str(workdir / "notes.txt")
    seeing = call("Bash", description="Show the edited step", command=f"cd {workdir} && grep -n 'Then close' plan.txt")
    marking = call("Edit", old_string="valve: seven\n", file_path=notes, new_string="valve: seven, done  \n")
    return (
        Answer(thinking="Check the edit on the disk.", tool_calls=(seeing, marking)),
        Answer(text="Both are right; a last look at the notes.", tool_calls=(call("Read", file_path=notes),)),
        Answer(thinking="Yes.", text=f"Checked: the {name} notes say that valve seven is done."),
    )


def _measuring(workdir: Path, name: str) -> tuple[Answer, ...]:
    counting = call("Bash", description="Length", command=f"cd {workdir} && wc -c notes.txt", timeout=9000)
    return (
        Answer(thinking="They want the length.", text="Counting.", tool_calls=(counting,)),
        Answer(text=f"The {name} notes are short."),
    )


def _without_blanks(text: str) -> str:
    """What Claude Code writes for `text`."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def subagent_session(workdir: Path, version: str, name: str = "delta", background: bool = False) -> ClaudeSession:
    """Two sub-agents at once, each with a script of its own, and a second user turn after them.

    `background=False` says so in the call, because 2.1.328 lets sub-agents run beside the main agent when the call
    does not say; then the end of a sub-agent comes as a notification, at a moment that no script can know.
    """
    sending = tuple(
        _scout(version, f"{name}{side}", task, background)
        for side, task in (
            ("north", "Look what lies in the folder and read the notes."),
            ("south", "Read the notes and count their words."),
        )
    )
    saying = call("Bash", description="Say so", command=f"cd {workdir} && echo scouts")
    showing = call("Bash", description="Show the notes", command=f"cd {workdir} && cat notes.txt")
    notes = f"pump house {name}\nvalve: seven\n"
    return ClaudeSession(
        name=name,
        turns=(
            f"Send two scouts over the {name} folder. SCRIPT {name}one",
            f"Were they right about the {name} notes? SCRIPT {name}two",
        ),
        continuation=f"Has anything changed? SCRIPT {name}three",
        scripts={
            f"{name}one": (
                Answer(thinking="Two scouts can go at once.", text="I send two scouts.", tool_calls=sending),
                Answer(thinking="Both are back or on their way.", tool_calls=(saying,)),
                Answer(text=f"The {name} scouts were sent."),
            ),
            f"{name}two": (
                Answer(thinking="One more look.", tool_calls=(showing,)),
                Answer(text=f"The {name} notes are as the scouts said."),
            ),
            f"{name}three": (Answer(text=f"Nothing has changed in {name}."),),
            **_scouting(workdir, name),
        },
        seeds={"notes.txt": notes},
        files={"notes.txt": notes},
        notified=background,
    )


def _scout(version: str, marker: str, task: str, background: bool) -> ToolCall:
    # 2.1.39 calls the tool Task; Agent is its name in the later ones.
    tool = "Task" if version == "2.1.39" else "Agent"
    arguments = {"subagent_type": "general-purpose", "prompt": f"{task} SCRIPT {marker}", "description": "A scout"}
    return call(tool, **arguments) if background else call(tool, **arguments, run_in_background=False)


def _scouting(workdir: Path, name: str) -> dict[str, tuple[Answer, ...]]:
    reading = call("Read", file_path=str(workdir / "notes.txt"))
    listing = call("Bash", description="List", command=f"cd {workdir} && ls")
    counting = call("Bash", description="Count words", timeout=7000, command=f"cd {workdir} && wc -w notes.txt")
    return {
        f"{name}north": (
            Answer(thinking="List first.", tool_calls=(listing,)),
            Answer(text="There are notes.", tool_calls=(reading,)),
            Answer(text=f"North: the {name} folder holds notes on a pump house."),
        ),
        f"{name}south": (
            Answer(tool_calls=(reading,)),
            Answer(thinking="Now count.", tool_calls=(counting,)),
            Answer(text=f"South: the {name} notes have five words."),
        ),
    }


def interleaved_sessions(first: Path, second: Path) -> tuple[ClaudeSession, ClaudeSession]:
    """Two sessions in folders of their own that are to run at the same time."""
    return main_session(first, "beta"), main_session(second, "gamma")
