"""llama.cpp's llama-server, over `/v1/chat/completions`.

That endpoint and not `/v1/messages`, because only there `id_slot`, `cache_prompt` and `return_progress` are read
(server-context.cpp; seen on xllamacpp 2026.10). `parallel_tool_calls` is off by default there and agents expect it.
`preserve_thinking` and `clear_thinking` are switches of chat templates (Qwen, GLM) that otherwise drop earlier
reasoning at a new user turn; a template that does not know a switch does not see it.

`chat_template_kwargs` may hold `tools` too, and the template then prints those, while `tools` of the request itself
still makes the grammar that a call must follow (common/chat.cpp, where the kwargs are laid over the template's own
values; seen on xllamacpp 2026.10). So a tool can be offered that is not at the head of the prompt. Left out of `tools`
it could not be called: the grammar makes another tool's name of it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.diff import common_prefix
from keepwarm.upstream import chat
from keepwarm.upstream.api import Draft, Outgoing, Traits
from keepwarm.upstream.openai import OpenAI

FIRST: Final = 8
"""Tokens that clear a slot."""
BEGINNING: Final = 256
"""Characters that hold them, and more behind."""
SEAM: Final = 4
"""Tokens at the end of a text that may be others where other words follow."""
WORDS: Final = 24
"""Of a trial: no server needs more to save a prompt."""


class LlamaCpp(OpenAI, frozen=True):
    """One llama-server."""

    traits: Traits = Traits("llamacpp")

    name = "llamacpp"
    quiet_tools = True

    def extras(self, draft: Draft) -> list[bytes]:
        """The slot, the progress, and the switches of the chat template."""
        parts = [
            b'"return_progress":true,"cache_prompt":true',
            chat.pair("chat_template_kwargs", self._switches(draft)),
        ]
        if draft.tools or draft.late:
            parts.append(chat.pair("parallel_tool_calls", draft.options.parallel_tools is not False))
        if draft.slot is not None:
            parts.append(chat.pair("id_slot", draft.slot))
        return parts

    def _switches(self, draft: Draft) -> dict[str, bool | msgspec.Raw]:
        switches: dict[str, bool | msgspec.Raw] = {"preserve_thinking": True, "clear_thinking": False}
        if draft.options.thinking is not None:
            switches["enable_thinking"] = draft.options.thinking
        if draft.late:
            switches["tools"] = msgspec.Raw(printed(draft.tools))
        return switches


def printed(tools: bytes) -> bytes:
    """A list of tools for the template to print as it prints those of `tools`: each of them has a description there,
    if only an empty one, and nothing that llama.cpp does not know."""
    rows = msgspec.json.decode(b"[" + tools + b"]", type=list[msgspec.Raw])
    return b"[" + b",".join(_as_printed(bytes(row)) for row in rows) + b"]"


def _as_printed(tool: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(tool, type=_Offered))
    except UNREADABLE:  # no function: what becomes of it the server says
        return tool


def _fill(slot: int, prompt: str | list[int]) -> Outgoing:
    """Have a prompt, words or token ids, processed in a slot, and nothing generated."""
    return Outgoing("/completion", msgspec.json.encode({"prompt": prompt, "n_predict": 0, "id_slot": slot}))


def refill(slot: int) -> Outgoing:
    """One token into a slot: its content goes to the host cache, and the next prompt there is looked up in it."""
    return _fill(slot, "x")


def render(request: Outgoing) -> Outgoing:
    """Ask for the prompt text that the server would make of a request."""
    return Outgoing("/apply-template", request.body, request.headers)


def clear(slot: int, counted: bytes) -> Outgoing | None:
    """The first tokens of a new conversation into a slot, from `tokenize`'s answer: the old content goes to the host
    cache, and the conversation then keeps all that is in the slot, so it takes no other's entry apart.

    Tokens and not words: of words that are cut off the last token is another one than in the whole prompt, and an entry
    of which a greater part would be kept is loaded.
    """
    return split(slot, counted, FIRST)


def keep(slot: int, rendered: bytes, other: bytes) -> Outgoing | None:
    """What a conversation has in common with the one in the slot, and no more, into that slot: from two of `render`'s
    answers, of the new request and of the old one up to its first turn."""
    prompt = _in_common(rendered, other)
    return _fill(slot, prompt) if prompt else None


def split(slot: int, counted: bytes, count: int) -> Outgoing | None:
    """The first `count` tokens of a conversation, from `tokenize`'s answer, into a slot that begins like it."""
    ids = _ids(counted)[:count]
    return _fill(slot, ids) if ids else None


def share(slot: int, counted: bytes, count: int) -> Outgoing | None:
    """What a conversation has in common with the one in a slot, from the answer to `tokenize_common`, at most `count`
    tokens of it: the last ones may be others in front of other words."""
    ids = _ids(counted)[:-SEAM][:count]
    return _fill(slot, ids) if ids else None


def tokenize_common(rendered: bytes, other: bytes) -> Outgoing | None:
    """Ask for the tokens that two prompts begin with, from two of `render`'s answers."""
    return tokenize(msgspec.json.encode({"prompt": _in_common(rendered, other)}))


def _in_common(rendered: bytes, other: bytes) -> str:
    prompt = prompt_of(rendered)
    return prompt[: common_prefix(prompt, prompt_of(other))]


def slots() -> Outgoing:
    """Ask what is in the slots."""
    return Outgoing("/slots", b"", method="GET")


def held(told: bytes, slot: int) -> int | None:
    """Tokens in a slot, from `slots`' answer; None where it does not say.

    `id_task` is below 0 in a slot that has had no task since the server was started (seen on xllamacpp 2026.10).
    """
    try:
        rows = msgspec.json.decode(told, type=list[_Slot])
    except UNREADABLE:
        return None
    return next((row.n_prompt_tokens for row in rows if row.id == slot and row.id_task >= 0), None)


def trial(slot: int) -> tuple[Outgoing, Outgoing, Outgoing]:
    """Three requests in an empty slot that show whether what it loses is saved: words, others, and the words again."""
    words = " ".join(map(str, range(WORDS)))
    first = _fill(slot, words)
    return first, refill(slot), first


def reused(answer: bytes) -> int:
    """Tokens that the server had of the prompt of one of these small requests; 0 where it does not say."""
    try:
        return msgspec.json.decode(answer, type=_Done).timings.cache_n
    except UNREADABLE:
        return 0


def tokenize(rendered: bytes, characters: int | None = None) -> Outgoing | None:
    """Ask for the tokens of a prompt, or of its first characters, from `render`'s answer."""
    prompt = prompt_of(rendered)[:characters]
    if not prompt:
        return None
    return Outgoing("/tokenize", msgspec.json.encode({"content": prompt, "add_special": True, "parse_special": True}))


def tokens(counted: bytes) -> int | None:
    """How many tokens `tokenize`'s answer holds."""
    try:
        return len(msgspec.json.decode(counted, type=_Tokens).tokens)
    except UNREADABLE:
        return None


def _ids(counted: bytes) -> list[int]:
    try:
        return msgspec.json.decode(counted, type=_Ids).tokens
    except UNREADABLE:
        return []


class _Slot(msgspec.Struct, frozen=True):
    id: int
    id_task: int = -1
    n_prompt_tokens: int | None = None


class _Timings(msgspec.Struct, frozen=True):
    cache_n: int = 0


class _Done(msgspec.Struct, frozen=True):
    timings: _Timings = _Timings()


class _Ids(msgspec.Struct, frozen=True):
    tokens: list[int]


class _Function(msgspec.Struct, frozen=True):
    name: str
    description: str = ""
    parameters: msgspec.Raw = msgspec.Raw(b"{}")


class _Offered(msgspec.Struct, frozen=True):
    type: str
    function: _Function


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[msgspec.Raw]


def prompt_of(rendered: bytes) -> str:
    """The prompt text in `render`'s answer; "" when it holds none."""
    try:
        prompt = msgspec.json.decode(rendered, type=dict[str, Any]).get("prompt")
    except UNREADABLE:
        return ""
    return prompt if isinstance(prompt, str) else ""


def traits(props: bytes) -> Traits | None:
    """What `GET /props` says; None when this is no llama-server."""
    said = _said(props)
    slots = said.get("total_slots")
    if not isinstance(slots, int):
        return None
    settings = said.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    modalities = said.get("modalities")
    vision = bool(modalities.get("vision")) if isinstance(modalities, dict) else True
    model = str(said.get("model_alias") or said.get("model_path") or "").rsplit("/", 1)[-1]
    return Traits("llamacpp", slots, context, vision, model, str(said.get("build_info") or ""))


def model_file(props: bytes) -> str:
    """Where the model's file is on the server's machine, from the answer to `GET /props`; "" when it does not say."""
    path = _said(props).get("model_path")
    return path if isinstance(path, str) else ""


def _said(props: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(props, type=dict[str, Any])
    except UNREADABLE:
        return {}
