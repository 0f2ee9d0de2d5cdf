"""What happens in a scenario, decided from a seed: which requests there are, what each says and what the model answers.

The requests of a plan form a tree: each goes on from an earlier one (`after`), so that rewinds, forks, sub-agents and
compactions are plans like any other. Nothing here knows of injections or of protocols.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from keepwarm.testing import agent_words as words
from keepwarm.testing.answers import PIECE, Answer, content_text
from keepwarm.testing.scenarios.view import Call, Image, Json, Message, Part, Result, Text, Thinking, Tool, View

MODEL: Final = "local-model"
_MARK: Final = re.compile(r"\[step (\d+)\]")
_PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
_CALLED: Final = ("Bash", "Edit", "Grep", "Read")


class Size(msgspec.Struct, frozen=True):
    """How much is said, in characters (about four to a token)."""

    system: int = 1_600
    """The static part of the system prompt."""
    tools: int = 6
    """Tools offered, 6 to 20."""
    tool: int = 160
    """Each tool's description."""
    said: int = 240
    """What the user types, and what an answer in words says."""
    result: int = 480
    """What a tool gives back."""
    thinking: int = 160
    """The reasoning of an answer that has some."""


class Ask(msgspec.Struct, frozen=True):
    """One request of the plan."""

    number: int
    """From 0, in the order in which they are sent."""
    talk: str
    """Its conversation: "main", "title", ..."""
    after: int | None
    """The request whose history, answer and all, stands before this one; None for a new conversation."""
    before: int | None
    """The request that it is to be compared with: `after`, or the one whose history was given up."""
    said: tuple[Message, ...]
    """The newest turn."""
    answer: Answer
    """What the model generates."""
    head: Literal["main", "title"] = "main"
    """title: another instruction behind the same system prompt, and no tools."""
    session: str = "one"
    """Which session of the client this is."""
    agent: str = ""
    """Which sub-agent; "" for the main one."""
    cut: int = 0
    """The client hangs up after so many pieces of the answer; 0 = it hears it all."""
    restart: bool = False
    """The gateway is started anew before it."""
    picture: bool = False
    """Whether the newest turn shows a picture."""


class Plan(msgspec.Struct, frozen=True):
    """All requests, and the head that they show."""

    asks: tuple[Ask, ...]
    system: tuple[Text, ...]
    tools: tuple[Tool, ...]

    def history(self, number: int) -> tuple[Message, ...]:
        """The messages of a request, each answer as it was generated."""
        ask = self.asks[number]
        return (*(self.answered(ask.after) if ask.after is not None else ()), *ask.said)

    def answered(self, number: int) -> tuple[Message, ...]:
        """The messages of a request and the answer to it, as far as the client heard it."""
        return (*self.history(number), reply(self.asks[number]))

    def view(self, number: int) -> View:
        """What the client shows with a request when nothing is injected."""
        ask = self.asks[number]
        if ask.head == "title":
            system = (*self.system, Text("Name the conversation in at most six words.", "title"))
            return View(MODEL, system, (), self.history(number))
        return View(MODEL, self.system, self.tools, self.history(number))

    def place_in_talk(self, number: int) -> tuple[int, int]:
        """(how many requests of its conversation came before, how many it has in all)."""
        row = [ask.number for ask in self.asks if ask.talk == self.asks[number].talk]
        return row.index(number), len(row)


def reply(ask: Ask) -> Message:
    """The answer to a request as a message; of one that was cut, the words that had come."""
    answer, tag = ask.answer, f"a{ask.number}"
    if ask.cut:
        return Message("assistant", (Text(answer.text[: ask.cut * PIECE], f"{tag}.cut"),), tag)
    parts: list[Part] = []
    if answer.thinking:
        parts.append(Thinking(answer.thinking, f"{tag}.thinking"))
    if answer.text:
        parts.append(Text(answer.text, f"{tag}.text"))
    parts += [Call(name, text, f"{tag}.{at}") for at, (name, text) in enumerate(answer.tool_calls)]
    return Message("assistant", tuple(parts), tag)


class PlanScript:
    """The plan as the scripted server asks for it: a chat completions body in, the answer out.

    The newest mark of the request tells which one it is, wherever a gateway has put it.
    """

    def __init__(self, plan: Plan) -> None:
        self._answers = [ask.answer for ask in plan.asks]

    def __call__(self, body: Json) -> Answer:
        """The answer to `body`. LookupError when no mark stands in it."""
        return self._answers[number_of(body)]


def number_of(body: Json) -> int:
    """Which request of its plan a chat completions body is. LookupError when no mark stands in it."""
    for message in reversed(body["messages"]):
        if message.get("role") != "assistant" and (marks := _MARK.findall(content_text(message.get("content")))):
            return int(marks[-1])
    raise LookupError("no mark stands in the request")


class Planner:
    """Puts a plan together, request by request; everything comes from the seed and the name.

    name      of the scenario: no other one on the same engine shares its prefix
    thinking  whether every second answer has reasoning
    """

    def __init__(self, seed: int, name: str, size: Size, *, thinking: bool) -> None:
        self.asks: list[Ask] = []
        self._dice = random.Random(f"plan {seed} {name}")
        self._size = size
        self._thinking = thinking
        self._name = f"{name} {seed}"
        self._system = self._instructions()
        self._tools = tuple(
            Tool(tool["name"], tool["description"], tool["input_schema"])
            for tool in words.tools(self._dice, size.tools, size.tool // 6)
        )

    def plan(self) -> Plan:
        """The plan so far."""
        return Plan(tuple(self.asks), self._system, self._tools)

    def ask(
        self, talk: str, after: int | None, said: Sequence[Part], answer: Answer, before: int | None = None, **more: Any
    ) -> int:
        """Add a request with its newest turn's parts (tags are given here); its number."""
        number = len(self.asks)
        parts = tuple(replace(part, tag=f"u{number}.{at}") for at, part in enumerate(said))
        message = Message("user", parts, f"u{number}")
        if after is not None:
            mine = self.asks[after]
            more = {"session": mine.session, "agent": mine.agent, "head": mine.head} | more
        before = after if before is None else before
        self.asks.append(Ask(number, talk, after, before, (message,), answer, **more))
        return number

    def go_on(self, talk: str, after: int | None, count: int, **more: Any) -> int:
        """Add `count` requests to a conversation, tool results where tools were called; the last one's number."""
        for _ in range(count):
            number, step = len(self.asks), sum(ask.talk == talk for ask in self.asks)
            called = after is not None and bool(self.asks[after].answer.tool_calls) and not self.asks[after].cut
            parts = self.results(after) if called and after is not None else [self.typed(number)]
            after = self.ask(talk, after, parts, self.answer(step), **more)
            more = {key: value for key, value in more.items() if key in ("session", "agent", "head")}
        if after is None:
            raise ValueError("nothing to go on from")
        return after

    def typed(self, number: int, words_first: str = "") -> Text:
        """What the user types with request `number`, its mark included."""
        said = " ".join(part for part in (words_first, self.prose(self._size.said)) if part)
        return Text(f"{said} [step {number}]", "")

    def results(self, of: int) -> list[Part]:
        """What the tools give back that the answer to request `of` called, in the order of the calls."""
        number = len(self.asks)
        return [
            Result(f"a{of}.{at}", f"{self.prose(self._size.result)}\n[step {number}]", "")
            for at in range(len(self.asks[of].answer.tool_calls))
        ]

    def answer(self, step: int) -> Answer:
        """The model's answer to the request with this number in its conversation: two calls at once, one, words."""
        thinking = self.prose(self._size.thinking) if self._thinking and step % 2 == 0 else ""
        match step % 3:
            case 0:
                return Answer(words.sentence(self._dice), thinking, (self._call("Bash"), self._call("Read")))
            case 1:
                return Answer(words.sentence(self._dice), thinking, (self._call(self._dice.choice(_CALLED)),))
            case _:
                return Answer(self.prose(self._size.said), thinking)

    def prose(self, characters: int) -> str:
        """Sentences of about so many characters."""
        made = ""
        while len(made) < characters:
            made += (" " if made else "") + words.sentence(self._dice)
        return made

    def picture(self) -> Image:
        """A picture of one pixel."""
        return Image(_PICTURE, "")

    def _instructions(self) -> tuple[Text, ...]:
        opening = f"You are at work on {self._name}: help with the project lantern and keep answers short."
        rules = "# Rules\n" + self.prose(self._size.system)
        place = f"# Environment\nFolder: {words.WORKING_FOLDER}\nPlatform: linux\n{words.sentence(self._dice)}"
        return Text(opening, "opening"), Text(rules, "rules"), Text(place, "place")

    def _call(self, name: str) -> tuple[str, str]:
        """A tool call as a model writes it: its own key order, a needless `cd`, blanks at line ends."""
        path = words.file_name(self._dice)
        lines = words.source_lines(self._dice, 20)
        arguments: dict[str, Any]
        match name:
            case "Bash":
                command = f"cd {words.WORKING_FOLDER} && grep hour {path}"
                arguments = {"description": words.phrase(self._dice), "command": command, "timeout": 5000}
            case "Edit":
                new = "  \n".join(lines) + "   \n"
                arguments = {"new_string": new, "old_string": words.phrase(self._dice), "file_path": path}
            case "Grep":
                arguments = {"pattern": words.phrase(self._dice), "path": path, "limit": self._dice.randrange(90)}
            case _:
                arguments = {"limit": self._dice.randrange(9, 90), "file_path": path, "offset": 1}
        return name, json.dumps(arguments, ensure_ascii=False)
