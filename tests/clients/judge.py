"""Whether a played cell is what it should be: what it cost, that nothing was lost, and what the client rewrote.

The yardsticks come from the two ends, the client's own requests and the engine, never from the gateway between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import aiohttp
import msgspec

from keepwarm.testing.accounts import Account, Conversation, account, conversation_names
from keepwarm.testing.answers import Answer, content_text
from keepwarm.testing.claude_sessions import QUOTED_HEADER
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.clients.stage import Played
from tests.clients.summary import Row

Json = dict[str, Any]
LIMIT: Final = 1.02
"""How much more than the ideal may be prefilled, and how much longer than the plain translation a prompt may be."""
HEADER: Final = "x-anthropic-billing-header"
# A prompt below this is hardly more than a header and a question: a share of it says nothing.
_LONG: Final = 5_000


def assert_walked(played: Played) -> None:
    """Every session went its whole way; each request was answered and stands in the ledger as the engine counted it."""
    assert played.faults == ()
    assert set(played.statuses) == {200}
    assert [exchange for exchange in played.exchanges if exchange.status != 200 or exchange.cancelled] == []
    assert len(played.bodies) == len(played.statuses) == len(played.exchanges) == len(played.records)
    counted = sorted((exchange.prompt_tokens, exchange.cached_tokens) for exchange in played.exchanges)
    assert sorted((record.usage.prompt_tokens, record.usage.cached_tokens) for record in played.records) == counted


def engine_cost(played: Played) -> int:
    """Tokens prefilled by the engine's own count, whoever asked for it; generation's stand-ins are not among them."""
    return played.engine_tokens - played.fed


def assert_counts_agree(played: Played, books: Account) -> None:
    """The engine's count is that of the exchanges. Where no slot changed hands it is of nothing else, but for the one
    token by which a new conversation may get a copy of another's head."""
    assert books.requests == len(played.exchanges)
    talks = [one for one in books.conversations if not one.name.startswith("aside")]
    seats = len(talks) + (len(talks) < len(books.conversations))
    if not played.cell.keep:
        assert engine_cost(played) == books.prefilled
    elif seats <= played.cell.slots:
        assert 0 <= engine_cost(played) - books.prefilled < len(talks)
    else:
        assert engine_cost(played) >= books.prefilled


def assert_each_token_once(played: Played, books: Account) -> None:
    """At most LIMIT times the ideal, for the whole and for each conversation."""
    assert engine_cost(played) <= LIMIT * books.ideal
    dear = {one.name: (one.prefilled, one.ideal) for one in books.conversations if one.prefilled > LIMIT * one.ideal}
    assert dear == {}


def row(played: Played, books: Account, straight: int | None = None) -> Row:
    """The cell's line in the table."""
    cell = played.cell
    return Row(
        client=cell.who,
        template=cell.template,
        slots=cell.slots,
        session=cell.what,
        requests=books.requests,
        prompt_tokens=books.prompt_tokens,
        ideal=books.ideal,
        prefilled=engine_cost(played) if cell.keep else None,
        straight=straight if cell.keep else engine_cost(played),
    )


# Nothing lost, nothing made longer


async def assert_nothing_lost(played: Played, server: ScriptedServer) -> None:
    """Each prompt holds every word of its request's newest turn; the last of each conversation holds all that the
    client said in it, and is as long as the plain translation of the same request."""
    async with Tokens(server) as tokens:
        for talk in account(played.exchanges).conversations:
            bodies = bodies_of(played, talk.name)
            assert len(bodies) == len(talk.steps)
            for body, step in zip(bodies, talk.steps, strict=True):
                assert missing(newest_turn(body), step.exchange.prompt) == []
            last = talk.steps[-1].exchange
            assert missing(bodies[-1]["messages"], last.prompt) == []
            if played.cell.keep:
                # The client's header is gone from the head, and from nowhere else.
                assert last.prompt.count(HEADER) == last.prompt.count(QUOTED_HEADER)
            assert await tokens.count(last.prompt) == last.prompt_tokens
            await _assert_as_long(played, talk, bodies[-1], tokens)


async def _assert_as_long(played: Played, talk: Conversation, body: Json, tokens: Tokens) -> None:
    """The last prompt of `talk` against the plain translation of `body`, with the arguments that the model generated:
    those are what it has read, and the client sends them back shortened."""
    plain = msgspec.json.decode(
        to_chat(msgspec.json.encode(body), hoist=played.cell.template == "strict_system"), type=Json
    )
    plain["chat_template_kwargs"] = {"preserve_thinking": True}
    if played.cell.keep:
        put_back(plain["messages"], [step.exchange.answer for step in talk.steps])
    wanted, found = await tokens.of_chat(plain), talk.steps[-1].exchange.prompt_tokens
    assert found <= LIMIT * wanted
    if wanted >= _LONG:
        assert found >= wanted / LIMIT


class Tokens:
    """Renders and counts by the engine behind the scripted server, without processing anything."""

    def __init__(self, server: ScriptedServer) -> None:
        self._url = server.url
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Tokens:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def count(self, prompt: str) -> int:
        """Tokens of a prompt."""
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        return len((await self._post("/tokenize", asked))["tokens"])

    async def of_chat(self, body: Json) -> int:
        """Tokens of a chat completions body's prompt."""
        return await self.count(str((await self._post("/apply-template", body))["prompt"]))

    async def _post(self, path: str, body: Json) -> Json:
        async with self._http.post(self._url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return msgspec.json.decode(await answer.read(), type=Json)


def bodies_of(played: Played, name: str) -> list[Json]:
    """The client's requests of one conversation, in their order."""
    named = zip(conversation_names(played.bodies), played.bodies, strict=True)
    return [body for found, body in named if found == name]


def newest_turn(body: Json) -> list[Json]:
    """The messages behind the last answer."""
    messages: list[Json] = body["messages"]
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages


def missing(messages: Sequence[Json], prompt: str) -> list[str]:
    """The texts of `messages`, other than answers, that do not stand in `prompt` word for word."""
    return [text for message in messages for text in said(message) if text.strip() not in prompt]


def said(message: Json) -> Iterator[str]:
    """Every text that the user, a tool or the client says in a message."""
    if message["role"] == "assistant":
        return
    for block in blocks(message):
        if block["type"] == "text":
            yield block["text"]
        elif block["type"] == "tool_result":
            content = block.get("content")
            yield from [content] if isinstance(content, str) else [content_text([part]) for part in content or ()]


def blocks(message: Json) -> list[Json]:
    """A message's blocks without the cache marks, whatever its shape."""
    content = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [{name: value for name, value in block.items() if name != "cache_control"} for block in content]


def put_back(messages: list[Json], answers: Sequence[Answer | None]) -> None:
    """Give the tool calls among chat messages the arguments that were generated for them, answer by answer."""
    turns = [message for message in messages if message["role"] == "assistant"]
    for message, answer in zip(turns, answers, strict=False):
        waiting = list(answer.tool_calls) if answer is not None else []
        for call in message.get("tool_calls", ()):
            generated = next(pair for pair in waiting if pair[0] == call["function"]["name"])
            waiting.remove(generated)
            call["function"]["arguments"] = json.dumps(json.loads(generated[1]), ensure_ascii=False)


# What old versions rewrite


class Rewriting(msgspec.Struct, frozen=True):
    """A request whose client changed what it had sent before."""

    place: int
    """Of its exchange."""
    message: int
    """The first changed message."""
    kept: int
    """Tokens of the prompt in front of the change."""


async def rewriting(played: Played, server: ScriptedServer, name: str) -> Rewriting | None:
    """What the second process of the session changed in the conversation `name`; None when it only went on."""
    talk = account(played.exchanges).by_name(name)
    row = [step.exchange for step in talk.steps]
    first = next(at for at, exchange in enumerate(row) if played.exchanges.index(exchange) >= played.continued)
    before, after = (bodies_of(played, name)[at]["messages"] for at in (first - 1, first))
    changed = next((at for at, old in enumerate(before) if blocks(old) != blocks(after[at])), None)
    if changed is None:
        return None
    common = common_text(row[first - 1], row[first])
    assert missing(before[:changed], common) == []
    async with Tokens(server) as tokens:
        return Rewriting(played.exchanges.index(row[first]), changed, await tokens.count(common))


def common_text(before: Exchange, after: Exchange) -> str:
    """What two prompts have in common from their beginnings."""
    pairs = enumerate(zip(before.prompt, after.prompt, strict=False))
    end = next((at for at, (old, new) in pairs if old != new), min(len(before.prompt), len(after.prompt)))
    return after.prompt[:end]


def assert_named(played: Played, found: Rewriting | None) -> None:
    """The ledger blames the client for `found`, with its cause and its place, and nobody for anything else."""
    blamed = [record for record in played.records if record.verdict is not None and record.verdict.blame != "nobody"]
    if found is None:
        assert blamed == []
        return
    (record,) = blamed
    verdict, exchange = record.verdict, played.exchanges[found.place]
    assert verdict is not None
    assert (record.usage.prompt_tokens, record.usage.cached_tokens) == (exchange.prompt_tokens, exchange.cached_tokens)
    # A reminder that is gone as well stands behind the edit: it costs nothing more.
    assert (verdict.blame, verdict.causes[0]) == ("client", "HIS005")
    assert set(verdict.causes[1:]) <= {"HIS001"}
    assert verdict.place is not None
    assert f"{verdict.place.path}/".startswith(f"/messages/{found.message}/")
