"""A server that tells the tokens of a prompt, and an inquiry that is asked of it.

Prompts are rendered as `scenarios.simulation` does; a token is four characters.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import xxhash

from keepwarm.core.diff import common_prefix
from keepwarm.exchange.commands import Answered
from keepwarm.exchange.exact import Inquiry, Question
from keepwarm.exchange.keeper import Keeper
from keepwarm.exchange.life import Life
from keepwarm.ledger.records import Verdict
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import rule_book
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from keepwarm.testing.messages_shapes import MessagesShape, as_chat
from keepwarm.testing.scenarios.simulation import rendered
from keepwarm.upstream.api import Outgoing
from tests.exchange.playbook import Playbook, chat, keeper, request

Json = dict[str, Any]
TOKEN = 4
"""Characters."""
SYSTEM = "You are an agent. " * 60
OFF = rule_book(off=CODES)
YES: Json = {"role": "assistant", "content": "Yes."}
TOOLS: list[Json] = [{"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object"}}]


def user(text: str) -> Json:
    return {"role": "user", "content": text}


class Talk:
    """A conversation with a server that reports what it is told to."""

    def __init__(self, kind: str = "llamacpp", on: Keeper | None = None) -> None:
        self.keeper = on or keeper(kind, rules=OFF)
        self._kind = kind
        self._prompts: list[str] = []

    def ask(self, *messages: Json, cached: int | None = None, answer: str = "Yes.", **fields: Any) -> Life:
        """The life of a request of which so many tokens were cached; None: all that it shares with the one before."""
        book = Playbook(
            request(*messages, **{"system": SYSTEM, **fields}), self.keeper, {"x-claude-code-session-id": "s"}
        )
        prompt = rendered(as_chat(book.sent()) if self._kind == "anthropic" else book.sent())
        had = common_prefix(self._prompts[-1], prompt) // TOKEN if self._prompts else 0
        self._prompts.append(prompt)
        tokens = len(prompt) // TOKEN
        cached = min(had, tokens - 1) if cached is None else cached
        counts = Counts(cached, tokens - cached, 3, 10.0)
        if self._kind == "anthropic":
            shape = MessagesShape(message_id="msg_1", model="local")
            said = Answer(answer)
            whole = shape.start(counts) + b"".join(shape.deltas(said, ())) + shape.ending(said, counts, with_usage=True)
            book.answer_with(whole).over()
        else:
            book.answer_with(chat(Answer(answer), counts=counts)).over()
        return book.life


def asked(life: Life) -> Question:
    assert life.question is not None
    return life.question


def edited(kind: str = "llamacpp", told: int | None = None, **last: Any) -> Life:
    """A request of which an old turn is another than before; the server had what stands in front of it."""
    talk = Talk(kind)
    talk.ask(user("hello"), tools=TOOLS)
    talk.ask(user("hello"), YES, user("the old turn " * 120), tools=TOOLS)
    changed = user("the old turn " * 60 + "reads otherwise. " + "the old turn " * 60)
    return talk.ask(user("hello"), YES, changed, YES, user("go on"), tools=TOOLS, cached=told, **last)


def dropped() -> Life:
    """The fourth request, which only appends, and of which the server has nothing."""
    talk = Talk()
    rows = [user("hello " * 200)]
    for number in range(4):
        life = talk.ask(*rows, tools=TOOLS, cached=0 if number == 3 else None)
        rows = [*rows, YES, user(f"go on {number} " * 40)]
    return life


class Telling:
    """What a server says when it is asked.

    kind      "llamacpp", "vllm" with its render endpoints, or "tokenize": vLLM without them
    template  what its chat template is made of
    refuses   a status for every question
    """

    def __init__(
        self,
        kind: Literal["llamacpp", "vllm", "tokenize"] = "llamacpp",
        template: str = "{{ messages }}",
        refuses: int | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.bodies: list[Json] = []
        self.refuses = refuses
        self.rewrite: dict[int, tuple[str, str]] = {}
        """For the prompt with this number: words that the template prints as other words."""
        self.tasks: list[int] | None = None
        """The number of the latest task of each slot; None: it does not show them."""
        self._kind = kind
        self._template = template
        self._words: dict[int, str] = {}
        self._rendered = 0

    def answer(self, request: Outgoing) -> tuple[int, bytes]:
        """The answer to one question."""
        self.asked.append(request.path)
        body: Json = json.loads(request.body or b"{}")
        self.bodies.append(body)
        if self.refuses is not None:
            return self.refuses, b"{}"
        said = self._say(request.path, body)
        return (404, b"{}") if said is None else (200, json.dumps(said).encode())

    def _say(self, path: str, body: Json) -> Json | list[Json] | None:
        if self._kind == "llamacpp":
            match path:
                case "/slots" if self.tasks is not None:
                    return [{"id": slot, "id_task": task} for slot, task in enumerate(self.tasks)]
                case "/apply-template":
                    return {"prompt": self._prompt(body)}
                case "/tokenize":
                    return {"tokens": self._ids(body["content"])}
                case "/props":
                    return {"chat_template": self._template}
            return None
        match path:
            case "/v1/chat/completions/render" | "/v1/messages/render" if self._kind == "vllm":
                return {"token_ids": self._ids(self._prompt(as_chat(body) if "messages/" in path else body))}
            case "/tokenize" if "messages" in body:
                ids = self._ids(self._prompt(body))
                return {"count": len(ids), "max_model_len": 1 << 20, "tokens": ids}
            case "/detokenize":
                return {"prompt": "".join(self._words[token] for token in body["tokens"])}
        return None

    def _prompt(self, chat: Json) -> str:
        prompt = rendered(chat)
        old, new = self.rewrite.get(self._rendered, ("", ""))
        self._rendered += 1
        return prompt.replace(old, new) if old else prompt

    def _ids(self, text: str) -> list[int]:
        whole = len(text) // TOKEN * TOKEN
        pieces = [text[at : at + TOKEN] for at in range(0, whole, TOKEN)]
        ids = [xxhash.xxh3_64_intdigest(piece.encode()) >> 1 for piece in pieces]
        self._words |= zip(ids, pieces, strict=True)
        return ids


def inquire(question: Question, server: Telling) -> tuple[Verdict | None, bool]:
    """(what came of a question, whether nobody need ask this server again)."""
    inquiry = Inquiry(question)
    steps = inquiry.run()
    try:
        asked = next(steps)
        while True:
            asked = steps.send(Answered(*server.answer(asked.request), 0.0))
    except StopIteration as over:
        return over.value, inquiry.never
