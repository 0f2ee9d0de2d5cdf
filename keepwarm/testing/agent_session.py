"""A synthetic coding agent: a session shaped like Claude Code's, in our own words, from a seed.

It sends what captures of version 2.1.114 show, as far as it matters to a prefix cache: `messages` before
`system` and `tools`; a billing header block that is new in each request; one moving `cache_control` mark, whose last
owner turns into a plain string; `role: "system"` messages inside `messages`, some of them empty; a token countdown;
tool arguments rewritten before they are sent back; a title call beside the first request and a sub-agent between.

    session = AgentSession(plan_session(seed=1))
    while (request := session.next_request()) is not None:
        blocks = send(request)                  # the answer's content blocks, Messages shape
        if not request.beside:
            session.receive(blocks)

The next request depends on the answer: whatever tools the model calls are "run", a call of `Agent` starts the
sub-agent. So the session plays against a scripted model and against a real one alike.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final

import msgspec

from keepwarm.testing import agent_words as words
from keepwarm.testing.agent_script import AGENT_LINE, TITLE_LINE, Kind, Plan
from keepwarm.testing.agent_words import Json

CLIENT_VERSION: Final = "2.1.114"
_MARK: Final[Json] = {"type": "ephemeral"}
_COUNTDOWN_FROM: Final = 99_000
_SUB_AGENT_TOOLS: Final = frozenset({"Bash", "Glob", "Grep", "Read"})


class AgentRequest(msgspec.Struct, frozen=True):
    """One HTTP request of the client."""

    number: int
    """From 1, over all conversations of the session."""
    kind: Kind
    """Which conversation it belongs to."""
    path: str
    """Path and query to append to the base URL."""
    headers: tuple[tuple[str, str], ...]
    """In the order the client sends them."""
    body: bytes
    """A Messages body, streaming."""
    beside: bool = False
    """True for a side call: the session does not wait for its answer, the next request goes out at the same time."""


class Conversation:
    """One row of messages with its system text and tools, and the body they make.

    system  the static system texts, behind the billing line
    suffix  the three hex digits behind the version in the billing line: the same for the whole conversation
    """

    def __init__(self, system: Sequence[str], tools: Sequence[Json], suffix: str) -> None:
        self.system = tuple(system)
        self.tools = tuple(tools)
        self.suffix = suffix
        self.messages: list[Json] = []

    def say(self, role: str, content: str | list[Json]) -> None:
        """Append one message; a string is kept as a string until it carries the mark."""
        self.messages.append({"role": role, "content": content})

    def body(
        self, header: str, *, thinks: bool, user_id: str, model: str = "local-model", max_tokens: int = 32_000
    ) -> bytes:
        """The Messages body as the client prints it: compact JSON, `messages` first.

        header  the billing line, see `billing_line`; "" for a client that has it switched off
        """
        system: list[Json] = [{"type": "text", "text": header}] if header else []
        system += [{"type": "text", "text": text, "cache_control": _MARK} for text in self.system]
        body: Json = {
            "model": model,
            "messages": with_mark(self.messages),
            "system": system,
            "tools": list(self.tools),
            "metadata": {"user_id": user_id},
            "max_tokens": max_tokens,
        }
        if thinks:
            body["thinking"] = {"type": "adaptive"}
        body["stream"] = True
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def billing_line(version: str, suffix: str, cch: str = "") -> str:
    """The line as Claude Code writes it: with a `cch` of each request (2.1.114 to 2.1.179), or without (2.1.181 on)."""
    ending = f"cc_entrypoint=cli; cch={cch};" if cch else "cc_entrypoint=sdk-cli;"
    return f"x-anthropic-billing-header: cc_version={version}.{suffix}; {ending}"


def with_mark(messages: Sequence[Json]) -> list[Json]:
    """The messages with the one moving mark: on the last block of the last message that has content."""
    sent = [dict(message) for message in messages]
    for message in reversed(sent):
        content = message["content"]
        if not content:
            continue
        given = [{"type": "text", "text": content}] if isinstance(content, str) else content
        blocks: list[Json] = [dict(block) for block in given]
        blocks[-1]["cache_control"] = _MARK
        message["content"] = blocks
        break
    return sent


def as_returned(name: str, arguments: Json) -> Json:
    """A tool call's arguments as the client sends them back: not quite what the model wrote.

    Whole numbers lose their point; Bash loses `cd FOLDER && ` and gets its keys in the schema's order; Edit gains
    `replace_all` at the front; Edit and Write lose the blanks at line ends. Seen in all versions captured.
    """
    given = {key: _whole(value) for key, value in arguments.items()}
    match name:
        case "Bash":
            command = given.get("command")
            if isinstance(command, str):
                given["command"] = command.removeprefix(f"cd {words.WORKING_FOLDER} && ")
            return {key: given[key] for key in ("command", "timeout", "description", *given) if key in given}
        case "Edit":
            order = ("file_path", "old_string", "new_string", *given)
            ordered = {key: given[key] for key in order if key in given}
            return {"replace_all": False} | {k: _bare_ends(v) if k == "new_string" else v for k, v in ordered.items()}
        case "Write":
            kept = {key: given[key] for key in ("file_path", "content", *given) if key in given}
            return {key: _bare_ends(value) if key == "content" else value for key, value in kept.items()}
    return given


def _whole(value: Any) -> Any:
    """5000.0 as 5000, as JavaScript prints it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _bare_ends(text: Any) -> Any:
    """The text without blanks before its line ends."""
    return "\n".join(line.rstrip(" \t") for line in text.split("\n")) if isinstance(text, str) else text


class AgentSession:
    """The client's side of one session; see the module's text for how to drive it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._dice = random.Random(f"client {plan.seed}")
        self._numbers = random.Random(f"header {plan.seed}")
        self.id = str(uuid.UUID(int=self._numbers.getrandbits(128), version=4))
        self._user_id = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": self.id})
        size = plan.size
        self._tools = words.tools(self._dice, size.tools, size.tool_words)
        self._instructions = words.instructions(self._dice, size.system_words)
        self._left = _COUNTDOWN_FROM
        self._number = 0
        self._answer: list[Json] | None = None
        self._awaiting = False
        self._life = self._play()

    def next_request(self) -> AgentRequest | None:
        """The request that goes out now; None when the session has ended.

        Raises RuntimeError while the answer to the last request (unless it was `beside`) has not been received.
        """
        if self._awaiting:
            raise RuntimeError("the last request's answer has not been received yet")
        request = next(self._life, None)
        self._awaiting = request is not None and not request.beside
        return request

    def receive(self, blocks: Sequence[Json]) -> None:
        """Take the answer to the last request: its content blocks in the Messages shape, as they were received."""
        if not self._awaiting:
            raise RuntimeError("no answer is awaited")
        self._answer = [dict(block) for block in blocks]
        self._awaiting = False

    def _play(self) -> Iterator[AgentRequest]:
        """The whole session: a title call beside the first request, then each user turn until no tool is called."""
        main = self._conversation(("You are a coding agent at work in a terminal.", self._instructions), self._tools)
        for turn, prompt in enumerate(self.plan.prompts):
            if turn == 0:
                reminder = f"<system-reminder>\nNotes of the project: {words.sentence(self._dice)}\n</system-reminder>"
                main.say("user", [{"type": "text", "text": reminder}, {"type": "text", "text": prompt}])
                main.say("system", words.environment(self._dice, self.plan.size.environment_words))
                yield self._title(prompt)
            else:
                main.say("user", prompt)
                main.say("system", self._countdown())
            yield from self._loop(main, "main", {})

    def _loop(self, talk: Conversation, kind: Kind, extra: dict[str, str]) -> Iterator[AgentRequest]:
        """Ask, run the tools that are called, send their results, and so on until an answer calls none."""
        step = 0
        while True:
            yield self._request(talk, kind, extra)
            blocks = self._taken()
            talk.say("assistant", [self._echoed(block) for block in blocks])
            calls = [block for block in blocks if block["type"] == "tool_use"]
            if not calls:
                return
            results: list[Json] = []
            for call in calls:
                if call["name"] == "Agent" and kind == "main":
                    text = yield from self._sub_agent(str(call["input"].get("prompt", "")))
                else:
                    text = words.tool_result(self._dice, call["name"], self.plan.size.result_words)
                result: Json = {"tool_use_id": call["id"], "type": "tool_result", "content": text}
                results.append(result | ({"is_error": False} if call["name"] == "Bash" else {}))
            talk.say("user", results)
            if kind == "main":
                self._remind(talk, step)
            step += 1

    def _sub_agent(self, prompt: str) -> Generator[AgentRequest, None, str]:
        """A helper with its own instructions and fewer tools; its last words are the result of the Agent call."""
        tools = [tool for tool in self._tools if tool["name"] in _SUB_AGENT_TOOLS]
        text = f"You work for a coding agent. Rules:\n{words.prose(self._dice, self.plan.size.system_words // 2)}"
        talk = self._conversation((text,), tools)
        talk.say("user", prompt if AGENT_LINE in prompt else f"{AGENT_LINE} {prompt}")
        identity = f"{self._numbers.getrandbits(68):017x}"
        yield from self._loop(talk, "agent", {"x-claude-code-agent-id": identity})
        return "\n".join(b["text"] for b in talk.messages[-1]["content"] if b["type"] == "text")

    def _title(self, prompt: str) -> AgentRequest:
        """The side call that names the session: other instructions, no tools, nobody waits for it."""
        talk = self._conversation((TITLE_LINE,), ())
        talk.say("user", prompt)
        return self._request(talk, "title", {})

    def _remind(self, talk: Conversation, step: int) -> None:
        """The inline system message that follows some tool results: a reminder, a countdown or nothing at all."""
        match step % 4:
            case 0:
                talk.say("system", self._countdown())
            case 1:
                talk.messages.append({"role": "system", "content": [], "output_config": {"effort": "high"}})
            case 2:
                note = "<system-reminder>\nThe task list is empty.\n</system-reminder>"
                talk.say("system", note)

    def _countdown(self) -> str:
        self._left -= self._dice.randrange(900, 2900)
        return f"<total_tokens>{self._left} tokens left</total_tokens>"

    def _conversation(self, system: Sequence[str], tools: Sequence[Json]) -> Conversation:
        return Conversation(system, tools, f"{self._numbers.getrandbits(12):03x}")

    def _request(self, talk: Conversation, kind: Kind, extra: dict[str, str]) -> AgentRequest:
        """The next request of a conversation, with a header value of its own."""
        self._number += 1
        cch = f"{self._numbers.getrandbits(20):05x}"
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": f"claude-cli/{CLIENT_VERSION} (external, cli)",
            "x-app": "cli",
            "anthropic-version": "2023-06-01",
            "x-api-key": "dummy",
            "x-claude-code-session-id": self.id,
        } | extra
        return AgentRequest(
            number=self._number,
            kind=kind,
            path="/v1/messages?beta=true",
            headers=tuple(headers.items()),
            body=talk.body(
                billing_line(CLIENT_VERSION, talk.suffix, cch), thinks=kind == "main", user_id=self._user_id
            ),
            beside=kind == "title",
        )

    def _taken(self) -> list[Json]:
        """The answer just received."""
        if self._answer is None:
            raise RuntimeError("the request was never answered")
        blocks, self._answer = self._answer, None
        return blocks

    @staticmethod
    def _echoed(block: Json) -> Json:
        """An answer's block as it goes back: tool arguments rewritten, thinking and its signature kept."""
        if block["type"] != "tool_use":
            return block
        return block | {"input": as_returned(block["name"], block["input"])}
