"""What the model says in the synthetic session: tool calls, thinking and closing words, planned from a seed.

A test model cannot call tools by itself, so the scripted layer in front of the real engine asks `AgentScript` for
each answer. The script knows nothing of the client's state: it reads the request (a chat completions body, whatever
way it came) and answers by how many answers stand in it already, so a repeated request gets the same answer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from keepwarm.testing import agent_words as words
from keepwarm.testing.answers import Answer, content_text

Kind: TypeAlias = Literal["main", "title", "agent"]
"""Who is speaking: the agent, its side call for a title, its sub-agent."""

TITLE_LINE: Final = "Name the conversation below in at most six words."
AGENT_LINE: Final = "You are the scout: look around and report back in two lines."
USER_TURNS: Final = 3

_PROMPTS: Final = (
    "The night report is one hour off since the clocks were set back. Find out where the hour is lost.",
    "Good. Now see who else uses that value, ask a scout to look at the export as well, and write a test.",
    "The test is fine. Mend the reader, run everything again and tell me what changed.",
)
_CYCLES: Final = (
    ("Bash", "Read", "Edit", "Bash"),
    ("Grep", "Agent", "Read+Read", "Write"),
    ("Edit", "Bash", "Read", "Bash"),
)


class SessionSize(msgspec.Struct, frozen=True):
    """How much the synthetic agent says. Words are about 1.4 tokens each."""

    tools: int
    """Tools offered, 8 to 20."""
    tool_words: int
    """Words of each tool's description beyond its first line."""
    system_words: int
    """Words of the static system prompt."""
    environment_words: int
    """Words of the inline system message that follows the first user message."""
    result_words: int
    """Words of one tool result."""
    thinking_words: int
    """Words of thinking in an answer that thinks (every second one)."""
    steps: int
    """Answers with tool calls in each of the three user turns."""


SIZES: Final[Mapping[str, SessionSize]] = {
    "demo": SessionSize(8, 0, 32, 8, 8, 6, 4),
    "long": SessionSize(20, 250, 5000, 1500, 700, 80, 5),
}
"""demo: 2,100 tokens at its end, for SmolLM2 with its slow prefill. long: 32,000, for the tiny model."""


class Plan(msgspec.Struct, frozen=True):
    """One session, decided beforehand: what the user asks and what the model answers."""

    seed: int
    size: SessionSize
    prompts: tuple[str, ...]
    """What the user types, in order."""
    answers: dict[Kind, tuple[Answer, ...]]
    """The model's answers by conversation, in order."""


def plan_session(seed: int = 1, size: SessionSize | str = "demo", closing: tuple[str, ...] = ()) -> Plan:
    """Plan a session.

    seed     the same seed plans the same session
    size     a SessionSize or a name of SIZES
    closing  the model's own words for the ends of the user turns (else words from the seed)
    """
    chosen = SIZES[size] if isinstance(size, str) else size
    dice = random.Random(f"plan {seed}")
    main: list[Answer] = []
    for turn in range(USER_TURNS):
        cycle = _CYCLES[turn]
        for step in range(chosen.steps):
            thinking = words.prose(dice, chosen.thinking_words) if len(main) % 2 == 0 else ""
            text = words.sentence(dice) if step % 4 == 0 else ""
            calls = tuple(_call(dice, name, chosen) for name in cycle[step % len(cycle)].split("+"))
            if not main:
                # A number that the client prints otherwise. Only one: llama.cpp's chat endpoint cannot replay it.
                calls = tuple((name, arguments[:-1] + ', "timeout": 5000.0}') for name, arguments in calls)
            main.append(Answer(text=text, thinking=thinking, tool_calls=calls))
        main.append(Answer(text=closing[turn] if turn < len(closing) else words.prose(dice, 8)))
    scout = (
        Answer(thinking=words.prose(dice, chosen.thinking_words), tool_calls=(_call(dice, "Bash", chosen),)),
        Answer(tool_calls=(_call(dice, "Read", chosen),)),
        Answer(text=words.prose(dice, 10)),
    )
    title = (Answer(text="Lost hour in the night report"),)
    return Plan(seed, chosen, _PROMPTS, {"main": tuple(main), "agent": scout, "title": title})


def _call(dice: random.Random, name: str, size: SessionSize) -> tuple[str, str]:
    """One tool call as a model writes it: its own key order, a needless `cd`, blanks at line ends."""
    path = words.file_name(dice)
    length = max(3, size.result_words // 3)
    arguments: dict[str, Any]
    match name:
        case "Bash":
            command = f"cd {words.WORKING_FOLDER} && grep hour {path}"
            arguments = {"description": words.phrase(dice), "command": command}
        case "Edit":
            new = "  \n".join(words.source_lines(dice, length)) + "   \n"
            arguments = {"new_string": new, "old_string": words.phrase(dice), "file_path": path}
        case "Write":
            arguments = {"content": "   \n".join(words.source_lines(dice, length)) + " \n", "file_path": path}
        case "Grep":
            arguments = {"pattern": "hour"}
        case "Agent":
            arguments = {
                "prompt": f"{AGENT_LINE} {words.sentence(dice)}",
                "description": "scout",
                "subagent_type": "scout",
            }
        case _:
            arguments = {"file_path": path}
    return name, json.dumps(arguments, ensure_ascii=False)


class AgentScript:
    """The plan as the scripted layer asks for it: a chat completions body in, the model's Answer out."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __call__(self, body: Mapping[str, Any]) -> Answer:
        """The answer to `body`; behind the end of the plan, two closing words."""
        answers = self.plan.answers[kind_of(body)]
        step = sum(message.get("role") == "assistant" for message in body["messages"])
        return answers[step] if step < len(answers) else Answer(text="All done.")


def kind_of(body: Mapping[str, Any]) -> Kind:
    """Which conversation of the session a chat completions body belongs to.

    Told by the words that only that conversation's instructions or first request hold, wherever a gateway put them.
    """
    for message in body["messages"]:
        if message.get("role") == "assistant":
            break
        text = content_text(message.get("content"))
        if TITLE_LINE in text:
            return "title"
        if AGENT_LINE in text:
            return "agent"
    return "main"


def request_count(plan: Plan) -> int:
    """How many requests the planned session sends."""
    return sum(len(answers) for answers in plan.answers.values())
