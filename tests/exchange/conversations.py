"""Conversations of Claude Code's shape, played through whole lives, with every habit that costs a cache.

`Talk` is the client: it keeps its own history, shows it in another shape on each request (moving cache_control,
strings and arrays, a header that changes, tools in another order, a countdown that counts), rewrites the arguments
of calls and drops reasoning. The server's answers are known, so what must stand upstream is known too. All words are
numbered: each can be looked for.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from keepwarm.core.answer import Answer as Generated
from keepwarm.core.answer import AnswerCollector
from keepwarm.exchange.keeper import Keeper
from keepwarm.testing.answers import Answer
from keepwarm.upstream.anthropic_stream import AnthropicReader
from tests.exchange.playbook import Playbook, play
from tests.rules.turns import COUNTDOWN, HEADER

Json = dict[str, Any]
QUOTES = (HEADER, f"look:\n{HEADER}\nsee?", f"what is {COUNTDOWN}?", "<system-reminder>mine</system-reminder> and more")
TOOLS: tuple[Json, ...] = (
    {"name": "Bash", "description": "Runs.", "input_schema": {"type": "object", "properties": {"command": {}}}},
    {"name": "Edit", "input_schema": {"properties": {"path": {}, "text": {}}, "type": "object"}},
    {"name": "Search", "defer_loading": True, "input_schema": {"type": "object"}},
    {"type": "web_search_20250305", "name": "web_search"},
)


class Words:
    """Words that are said once."""

    def __init__(self) -> None:
        self._count = 0

    def some(self, dice: Random) -> str:
        """A few of them."""
        row = []
        for _ in range(dice.randint(1, 4)):
            self._count += 1
            row.append(f"word{self._count}x")
        return " ".join(row)


class Talk:
    """One conversation: `request` is what the client sends next, `heard` tells it what came back."""

    def __init__(self, dice: Random, session: str = "s") -> None:
        self.dice = dice
        self.session = session
        self.newest: list[str] = []
        """Every word of the newest turn."""
        self.messages: list[Json] = []
        self._words = Words()
        self._system = dice.choice(("none", "string", "blocks"))
        self._header = dice.choice(("none", "constant", "changing"))
        self._say()

    # What the client keeps

    def heard(self, answer: Generated) -> None:
        """The client takes an answer into its history, as clients do, and goes on."""
        dice = self.dice
        content: list[Json] = []
        if answer.thinking and dice.random() < 0.4:
            content.append({"type": "thinking", "thinking": answer.thinking, "signature": answer.signature})
        if answer.text.strip() or (answer.text and dice.random() < 0.5):
            content.append({"type": "text", "text": dice.choice((answer.text, answer.text.strip() or answer.text))})
        for call in answer.calls:
            arguments = json.loads(call.arguments)
            if dice.random() < 0.7:
                arguments = dict(sorted(arguments.items(), reverse=True)) | {"replace_all": False}
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
        self.messages.append({"role": "assistant", "content": content})
        self.newest = []
        if answer.calls:
            self._results([call.id for call in answer.calls])
        else:
            self._say()

    def edit(self) -> None:
        """The client changes its history: prunes an old result, says an old turn anew, or goes back."""
        asked = [at for at, message in enumerate(self.messages[:-1]) if message["role"] == "user"]
        if not asked:
            return
        at = self.dice.choice(asked)
        if self.dice.random() < 0.5:
            for block in self.messages[at]["content"]:
                if block["type"] == "tool_result":
                    block["content"] = "[cleared]"
                elif block["type"] == "text":
                    block["text"] = "said anew"
        else:
            del self.messages[at + 1 :]
            self.newest = []

    def _say(self) -> None:
        content = [self._text(self._words.some(self.dice))]
        if self.dice.random() < 0.3:
            content.append(self._text(self.dice.choice(QUOTES) + " " + self._words.some(self.dice)))
        self._user(content)

    def _results(self, ids: list[str]) -> None:
        content: list[Json] = []
        for call_id in ids:
            words = self._heard_word(self._words.some(self.dice))
            body: Any = words if self.dice.random() < 0.5 else [{"type": "text", "text": words}]
            content.append({"type": "tool_result", "tool_use_id": call_id, "content": body})
        if self.dice.random() < 0.3:
            content.append(self._text(f"<system-reminder>\n{self._words.some(self.dice)}\n</system-reminder>"))
        if self.dice.random() < 0.2:
            content.append(self._text(self._words.some(self.dice)))
        self._user(content)

    def _user(self, content: list[Json]) -> None:
        dice = self.dice
        if dice.random() < 0.2:
            content.append({"type": "hologram", "of": self._heard_word(self._words.some(dice))})
        if dice.random() < 0.3:
            content.append({"type": "text", "text": "COUNTDOWN"})
        self.messages.append({"role": "user", "content": content})
        for _ in range(dice.choice((0, 0, 1, 2))):
            said = dice.choice(("", "COUNTDOWN", "words"))
            note = self._text(self._words.some(dice)) if said == "words" else {"type": "text", "text": said}
            self.messages.append({"role": "system", "content": [note] if said else []})

    def _text(self, words: str) -> Json:
        return {"type": "text", "text": self._heard_word(words)}

    def _heard_word(self, words: str) -> str:
        self.newest += words.split()
        return words

    # What the client shows

    def request(self, stream: bool = True) -> bytes:
        """The whole history, in the shape of the moment."""
        dice = self.dice
        messages = [self._shown(message) for message in self.messages]
        marked = [m for m in messages if isinstance(m["content"], list) and m["content"] and m["role"] != "system"]
        if marked:
            marked[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
        body: Json = {"model": "local", "max_tokens": 64, "messages": messages, "stream": stream}
        system = self._shown_system()
        if system:
            body["system"] = system
        tools: list[Json] = list(TOOLS)
        if dice.random() < 0.3:
            dice.shuffle(tools)
        body["tools"] = [_other_key_order(tool) if dice.random() < 0.3 else tool for tool in tools]
        body["new_field"] = {"unknown": 1.0}
        return json.dumps(body, ensure_ascii=dice.random() < 0.5).encode()

    def _shown(self, message: Json) -> Json:
        dice = self.dice
        content = []
        for block in message["content"]:
            left = dice.randint(1, 900_000)
            if block.get("text") == "COUNTDOWN":
                block = {"type": "text", "text": f"<total_tokens>{left} tokens left</total_tokens>"}
            content.append(dict(block))
        if message["role"] != "assistant" and dice.random() < 0.1:
            content.insert(dice.randint(0, len(content)), {"type": "text", "text": ""})
        if len(content) == 1 and content[0]["type"] == "text" and dice.random() < 0.5:
            return {"role": message["role"], "content": content[0]["text"]}
        return {"role": message["role"], "content": content}

    def _shown_system(self) -> Any:
        words = "You are an agent. Leave this alone:\n" + HEADER
        header = {
            "none": "",
            "constant": "x-anthropic-billing-header: cc_version=2.1.39; cch=00000;",
            "changing": f"x-anthropic-billing-header: cc_version=2.1.114; cch={self.dice.randint(0, 99999):05d};",
        }[self._header]
        if self._system == "string":
            return f"{header}\n{words}" if header else words
        if self._system == "blocks":
            return [{"type": "text", "text": text} for text in (header, words) if text]
        return ""


def _other_key_order(tool: Json) -> Json:
    schema = tool.get("input_schema")
    return tool if schema is None else tool | {"input_schema": dict(reversed(schema.items()))}


def some_answer(dice: Random, number: int) -> Answer:
    """What a model may say: with and without reasoning, words and calls."""
    calls = []
    for _ in range(dice.choice((0, 1, 1, 2))):
        arguments = {"command": f"cd / && run{number}", "b": 1.5, "a": [1, "x"]}
        calls.append(("Bash", json.dumps(arguments)))
    text = dice.choice(("", f"I do step{number}.", f"\n\nI do step{number}.\n", "\n\n" if calls else "Done."))
    if not calls and not text:
        text = "Done."
    return Answer(text, dice.choice(("", f"Let me think about step{number}.")), tuple(calls))


def hear(book: Playbook) -> Generated:
    """The answer as the client has it: its words, and the ids that it was given."""
    reader, collector = AnthropicReader(), AnswerCollector()
    for event in [*reader.feed(book.heard()), *reader.finish()]:
        collector.feed(event)
    return collector.answer


def exchange(talk: Talk, on: Keeper, answer: Answer) -> Playbook:
    """One request of a talk, and its answer taken into the client's history."""
    book = play(talk.request(), on, answer, headers={"x-claude-code-session-id": talk.session})
    talk.heard(hear(book))
    return book
