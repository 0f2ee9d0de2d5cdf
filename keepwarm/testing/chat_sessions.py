"""What the model says while a real agent with Chat Completions is talking to it: a whole session as data, in our words.

The tool calls are real: the agent runs them in the session's folder, a git repository, and sends their results back.
They are written the way a model writes them and not the way agents send them back: blanks behind commas and colons,
arguments in another order than the tool's own schema. Each turn is meant for a process of its own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from keepwarm.testing.answers import Answer, MarkerScript
from keepwarm.testing.chat_agent import AgentRun, Hands, ToolCall

SUGGESTION = "check the valve once more"
"""The answer to what no script covers: a title, a look for memories, a guess at what the user says next."""


class ChatSession(msgspec.Struct, frozen=True):
    """One scripted session."""

    name: str
    """Stands in every marker of the session, so that sessions can share a server."""
    turns: tuple[str, ...]
    """What the user types, each turn with the marker of the script that answers it."""
    scripts: Mapping[str, tuple[Answer, ...]]
    """The model's answers in their order, by marker; the last of each calls no tool."""
    seeds: Mapping[str, str]
    """Files that are committed before the first turn, by relative path."""
    files: Mapping[str, str]
    """Files that must lie there after the last turn."""

    def prepare(self, workdir: Path) -> None:
        """Lays out the files that the session starts from, and commits them."""
        workdir.mkdir(parents=True, exist_ok=True)
        for name, text in self.seeds.items():
            (workdir / name).write_text(text)
        for command in ("init --quiet --initial-branch=main", "add .", "commit --quiet --message=Begin"):
            subprocess.run(
                ["git", *command.split()], cwd=workdir, env=_git_environment(), check=True, capture_output=True
            )

    def answers(self, turn: int) -> tuple[Answer, ...]:
        """The script of one user turn."""
        return self.scripts[self.turns[turn].rsplit("SCRIPT ", 1)[1]]

    def faults(self, turn: int, run: AgentRun) -> list[str]:
        """What shows that `run` did not walk through the whole of one user turn; empty when all is well."""
        answers = self.answers(turn)
        calls, closing = _calls(answers), answers[-1].text
        typed = {words.rsplit("SCRIPT ", 1)[1] for words in self.turns}
        nested = sum(_calls(script) for marker, script in self.scripts.items() if marker not in typed)
        found = []
        if run.returncode:
            found.append(f"turn {turn}: the agent ended with {run.returncode}: {run.stderr[-500:]}")
        found += [f"turn {turn}: a tool failed: {words[:300]}" for words in run.heard.failed]
        if run.heard.ran not in (calls, calls + nested):  # some agents tell of their sub-agents' tools too
            found.append(f"turn {turn}: {run.heard.ran} tools were run, not {calls}")
        if run.heard.said.strip() != closing:
            found.append(f"turn {turn}: it ended with {run.heard.said!r}, not with {closing!r}")
        return found

    def misplaced(self, workdir: Path) -> list[str]:
        """The files that are not what the tools should have left."""
        return [
            f"{name} is not what the tools should have left"
            for name, text in self.files.items()
            if not (workdir / name).exists() or (workdir / name).read_text() != text
        ]


def _calls(answers: Sequence[Answer]) -> int:
    return sum(len(answer.tool_calls) for answer in answers)


def script_for(*sessions: ChatSession) -> MarkerScript:
    """The model's side of all the sessions together."""
    scripts = {marker: answers for session in sessions for marker, answers in session.scripts.items()}
    return MarkerScript(scripts, default=Answer(text=SUGGESTION))


def chat_session(workdir: Path, hands: Hands, name: str = "alpha") -> ChatSession:
    """Four user turns: one that writes and edits a file, one that edits a committed file, one without a tool (which is
    when some agents make side calls), and one that goes on behind it."""
    step_seven = f"Step 07: open valve 7, wait, read the {name} gauge."
    mended = f'Step 07: open valve 7 twice, "slowly", read the {name} gauge — then close it.'
    plan = "".join(f"Step {n:02}: open valve {n}, wait, read the {name} gauge.  \n\t \n" for n in range(1, 60))
    edit = hands.edit(str(workdir / "plan.txt"), step_seven, mended)
    length = hands.shell(f"cd {workdir} && wc -c notes.txt")
    return ChatSession(
        name=name,
        turns=(
            f"Please write the {name} plan. SCRIPT {name}one",
            f"Thank you. Check it, and mark valve seven as done in the {name} notes. SCRIPT {name}two",
            f"Is all of {name} done? SCRIPT {name}three",
            f"How long are the {name} notes now? SCRIPT {name}four",
        ),
        scripts={
            f"{name}one": _writing(workdir, hands, name, plan, edit),
            f"{name}two": _checking(workdir, hands, name),
            f"{name}three": (Answer(thinking="Nothing is left.", text=f"All of {name} is done."),),
            f"{name}four": (
                Answer(thinking="They want the length.", tool_calls=(length,)),
                Answer(text=f"The {name} notes are short."),
            ),
        },
        seeds={
            "notes.txt": f"pump house {name}\nvalve: seven\n",
            "AGENTS.md": f"House rules for {name}: metric units.\n",
        },
        files={"notes.txt": f"pump house {name}\nvalve: seven, done\n", "plan.txt": plan.replace(step_seven, mended)},
    )


def _writing(workdir: Path, hands: Hands, name: str, plan: str, edit: ToolCall) -> tuple[Answer, ...]:
    notes, path = str(workdir / "notes.txt"), str(workdir / "plan.txt")
    counting = hands.shell(f"cd {workdir} && wc -l plan.txt")
    return (
        Answer(
            thinking=f"The user wants the {name} plan.\n\nFirst see what is there.",
            text="I will look at the folder first.",
            tool_calls=(hands.shell(f"cd {workdir} && ls -a"),),
        ),
        Answer(text="Now I write the plan.  \nThen I read it.", tool_calls=(hands.write(path, plan),)),
        Answer(
            thinking="Read both at once, they do not depend on each other.",
            tool_calls=(hands.read(notes), hands.read(path), counting),
        ),
        Answer(
            thinking="Step 07 is wrong: the notes say twice.",
            text="One step differs from the notes.",
            tool_calls=(edit,),
        ),
        Answer(thinking="All there.", text=f"The {name} plan is written and agrees with the notes.\n\nNext?"),
    )


def _checking(workdir: Path, hands: Hands, name: str) -> tuple[Answer, ...]:
    notes = str(workdir / "notes.txt")
    seeing = hands.shell(f"cd {workdir} && grep -n 'then close' plan.txt")
    return (
        Answer(thinking="Check the edit on the disk.", tool_calls=(seeing, hands.read(notes))),
        Answer(
            text="The plan is right; now the notes.",
            tool_calls=(hands.edit(notes, "valve: seven", "valve: seven, done"),),
        ),
        Answer(thinking="Yes.", text=f"Checked: the {name} notes say that valve seven is done."),
    )


def scouts_session(workdir: Path, hands: Hands, name: str = "delta") -> ChatSession:
    """Two sub-agents at once, each with a script of its own, and a second user turn after them."""
    assert hands.scout is not None
    notes = f"pump house {name}\nvalve: seven\n"
    reading, listing = hands.read(str(workdir / "notes.txt")), hands.shell(f"cd {workdir} && ls")
    counting = hands.shell(f"cd {workdir} && wc -w notes.txt")
    sending = (
        hands.scout(f"Look what lies in the folder and read the notes. SCRIPT {name}north"),
        hands.scout(f"Read the notes and count their words. SCRIPT {name}south"),
    )
    return ChatSession(
        name=name,
        turns=(
            f"Send two scouts over the {name} folder. SCRIPT {name}one",
            f"Were they right about the {name} notes? SCRIPT {name}two",
        ),
        scripts={
            f"{name}one": (
                Answer(thinking="Two scouts can go at once.", text="I send two scouts.", tool_calls=sending),
                Answer(thinking="Both are back.", text=f"The {name} scouts were sent."),
            ),
            f"{name}two": (
                Answer(thinking="One more look.", tool_calls=(reading,)),
                Answer(text=f"The {name} notes are as the scouts said."),
            ),
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
        },
        seeds={"notes.txt": notes},
        files={"notes.txt": notes},
    )


def _git_environment() -> dict[str, str]:
    """Nothing of the caller's settings, and the same commit every time."""
    who = {"NAME": "A Tester", "EMAIL": "tester@example.com", "DATE": "2026-01-01T00:00:00Z"}
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in who.items()}
    nowhere = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return {"PATH": os.environ.get("PATH", os.defpath), **nowhere, **identity}
