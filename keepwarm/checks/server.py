"""What a model server says of itself: its name and version, its flags as far as it tells them, its slots and context.

Questions and readings, no sending: `QUESTIONS` are asked, `read_server` reads the answers. Sources: llama.cpp `/props`
and `/slots` (seen on xllamacpp 2026.10), vLLM `/version` and `/v1/models` (0.32), SGLang `/get_server_info` (0.5),
Ollama `/api/version`, LM Studio `/api/v0/models`; the last three from their documentation only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from keepwarm.checks.finding import TYPICAL_PROMPT, Finding
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream.api import Outgoing, Traits

QUESTIONS: Final[dict[str, Outgoing]] = {
    path: Outgoing(path, b"", method="GET")
    for path in ("/props", "/slots", "/v1/models", "/version", "/get_server_info", "/api/version", "/api/v0/models")
}
"""What is asked of a server, by path."""
ROOMY: Final = 32_768
"""Tokens of context below which an agent's session ends in compaction again and again."""
TIGHT: Final = 16_384
"""Below this an agent's first prompt may not fit at all."""


class Slot(msgspec.Struct, frozen=True):
    """A place for one conversation."""

    id: int
    busy: bool
    held: int
    """Tokens in it; 0 where it was never used."""


class Server(msgspec.Struct, frozen=True):
    """A model server, as it tells of itself."""

    url: str
    traits: Traits
    name: str = ""
    """"llama.cpp", "vLLM" ...; "" where nothing tells."""
    version: str = ""
    slots: tuple[Slot, ...] | None = None
    """None where it does not show them."""
    template: str = ""
    """The chat template's text; "" where it is not told."""
    model: str = ""
    """The name to ask it by: the first that it lists."""
    flags: dict[str, bool | int | str] = {}
    """What else it says of how it was started."""


def read_server(url: str, traits: Traits, answers: Mapping[str, tuple[int, bytes]]) -> Server:
    """A server from the answers to QUESTIONS, each (status, body)."""
    said = {path: _json(body) for path, (status, body) in answers.items() if status == 200}
    props = _table(said.get("/props"))
    name, version = _name(said, props, traits)
    context = traits.context or _model_length(said.get("/v1/models"))
    known = msgspec.structs.replace(traits, context=context)
    template = str(props.get("chat_template") or "")
    model = traits.model or _first_model(said.get("/v1/models"))
    return Server(url, known, name, version, _slots(said.get("/slots")), template, model, _flags(props, said))


def judge_server(server: Server) -> list[Finding]:
    """Findings about the server itself."""
    traits = server.traits
    name = " ".join(part for part in (server.name or "A server of unknown make", server.version) if part)
    flags = "".join(f", {flag}={value}" for flag, value in server.flags.items())
    model = f", model {server.model}" if server.model else ""
    title = f"{name} at {server.url}{model}, spoken to as {traits.kind}{flags}."
    found = [Finding(area="server", code="server", severity="ok", title=title)]
    if not traits.chat:
        title = "It takes no chat completions: agents of OpenAI's protocol cannot be served."
        found.append(Finding(area="server", code="no-chat", severity="warn", title=title))
    found += _judge_slots(server) + _judge_context(server) + _judge_memory(server)
    return found


def _judge_slots(server: Server) -> list[Finding]:
    if server.traits.kind != "llamacpp" or not server.traits.slots:
        return []
    number, found = server.traits.slots, []
    if number == 1:
        found.append(
            Finding(
                area="server",
                code="one-slot",
                severity="warn",
                title="There is one slot: title calls and sub-agents take the conversation's place in it (SEA001).",
                detail="Through keepwarm the conversation comes back from llama.cpp's host cache where that is on.",
                tokens=TYPICAL_PROMPT,
                strikes="each side call, straight at the server",
                command=f"llama-server ... -np 4 -c {4 * (server.traits.context or ROOMY)}",
            )
        )
    else:
        title = f"{number} slots: so many conversations are held at a time."
        found.append(Finding(area="server", code="slots", severity="ok", title=title))
    if server.slots is None:
        found.append(
            Finding(
                area="server",
                code="slots-shut",
                severity="warn",
                title="It does not show its slots (/slots is shut).",
                detail="keepwarm still gives each conversation a slot; what is in them cannot be looked at.",
                command="llama-server ... --slots",
            )
        )
    return found


def _judge_context(server: Server) -> list[Finding]:
    context = server.traits.context
    if context is None:
        return []
    if context >= ROOMY:
        title = f"{context:,} tokens of context for each conversation."
        return [Finding(area="server", code="context", severity="ok", title=title)]
    slots = max(1, server.traits.slots)
    commands = {
        "llama.cpp": f"llama-server ... -np {slots} -c {slots * 65_536}",
        "vLLM": "vllm serve ... --max-model-len 65536",
        "SGLang": "python -m sglang.launch_server ... --context-length 65536",
        "Ollama": "OLLAMA_CONTEXT_LENGTH=65536 ollama serve",
    }
    return [
        Finding(
            area="server",
            code="context-tight",
            severity="bad" if context < TIGHT else "warn",
            title=f"A conversation has {context:,} tokens of context: too few for a coding agent"
            + (", whose first prompt may not fit." if context < TIGHT else "; it will compact often."),
            detail="On llama.cpp -c is shared by all slots: each gets context / slots.",
            command=commands.get(server.name, ""),
        )
    ]


def _judge_memory(server: Server) -> list[Finding]:
    kinds = {
        "swa": ("sliding-window layers, and goes back only as far as their window", "llama-server ... --swa-full"),
        "hybrid": ("recurrent layers, and goes back only to its checkpoints", "llama-server ... --ctx-checkpoints 128"),
        "recurrent": (
            "a recurrent memory, and goes back only to its checkpoints",
            "llama-server ... --ctx-checkpoints 128",
        ),
    }
    if server.traits.memory not in kinds:
        return []
    what, command = kinds[server.traits.memory]
    return [
        Finding(
            area="server",
            code=f"memory-{server.traits.memory}",
            severity="warn",
            title=f"The model has {what}.",
            detail="A prompt that parts early from what is held is then processed from the beginning.",
            tokens=TYPICAL_PROMPT,
            strikes="each edit of the conversation",
            command=command,
        )
    ]


def _name(said: Mapping[str, Any], props: Mapping[str, Any], traits: Traits) -> tuple[str, str]:
    """(name, version). The paths are tried in the order in which they tell the most."""
    if traits.kind == "llamacpp" and props:
        return "llama.cpp", str(props.get("build_info") or "")
    for path, name in (("/get_server_info", "SGLang"), ("/api/version", "Ollama"), ("/version", "vLLM")):
        answer = said.get(path)
        if isinstance(answer, dict) and isinstance(answer.get("version"), str):
            return name, answer["version"]
    if isinstance(said.get("/api/v0/models"), dict):
        return "LM Studio", ""
    rows = _table(said.get("/v1/models")).get("data")
    owner = str(rows[0].get("owned_by") or "") if isinstance(rows, list) and rows and isinstance(rows[0], dict) else ""
    return ("llama.cpp" if owner == "llamacpp" else owner), ""


def _flags(props: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, bool | int | str]:
    flags: dict[str, bool | int | str] = {}
    for name in ("endpoint_slots", "endpoint_metrics", "model_ftype"):
        value = props.get(name)
        if isinstance(value, bool | int | str):
            flags[name] = value
    told = _table(said.get("/get_server_info"))
    for name in ("enable_cache_report", "disable_radix_cache"):
        if isinstance(told.get(name), bool):
            flags[name] = told[name]
    return flags


def _slots(answer: Any) -> tuple[Slot, ...] | None:
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        return None
    rows: list[dict[str, Any]] = answer
    return tuple(
        Slot(number, bool(row.get("is_processing")), int(row.get("n_prompt_tokens") or 0))
        for number, row in enumerate(rows)
    )


def _first_model(answer: Any) -> str:
    rows = _table(answer).get("data")
    first = rows[0] if isinstance(rows, list) and rows else None
    return str(first.get("id") or "") if isinstance(first, dict) else ""


def _model_length(answer: Any) -> int | None:
    """vLLM's and SGLang's `max_model_len`."""
    rows = _table(answer).get("data")
    first = rows[0] if isinstance(rows, list) and rows else None
    length = first.get("max_model_len") if isinstance(first, dict) else None
    return length if isinstance(length, int) else None


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
