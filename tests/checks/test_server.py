"""Servers are known by what they answer; the samples are of the versions that the module names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.checks.server import QUESTIONS, Server, Slot, judge_server, read_server
from keepwarm.upstream.api import Traits
from keepwarm.upstream.memory import Memory

URL = "http://127.0.0.1:8080"
PROPS = {"build_info": "b1", "chat_template": "{{ x }}", "endpoint_slots": True, "model_ftype": "F16", "total_slots": 2}


def read(traits: Traits, **answers: Any) -> Server:
    """A server that answers these paths (dots for slashes) with 200 and everything else with 404."""
    given = {"/" + name.replace("__", "/").strip("/"): value for name, value in answers.items()}
    said = {path: (200, json.dumps(given[path]).encode()) if path in given else (404, b"no") for path in QUESTIONS}
    return read_server(URL, traits, said)


def codes(server: Server) -> dict[str, str]:
    """Severity by code."""
    return {one.code: one.severity for one in judge_server(server)}


def test_llama_cpp_tells_of_itself() -> None:
    slots = [{"id": 0, "is_processing": True, "n_prompt_tokens": 40}, {"id": 1, "is_processing": False}]
    server = read(Traits("llamacpp", 2, 65_536, model="m"), props=PROPS, slots=slots)
    assert (server.name, server.version, server.template) == ("llama.cpp", "b1", "{{ x }}")
    assert server.slots == (Slot(0, True, 40), Slot(1, False, 0))
    assert server.flags == {"endpoint_slots": True, "model_ftype": "F16"}
    assert set(codes(server).values()) == {"ok"}


def test_one_slot_a_tight_context_and_shut_slots_are_named_with_what_mends_them() -> None:
    server = read(Traits("llamacpp", 1, 8_192), props=PROPS)
    found = {one.code: one for one in judge_server(server)}
    assert found["one-slot"].severity == "warn"
    assert found["one-slot"].command == "llama-server ... -np 4 -c 32768"
    assert found["context-tight"].severity == "bad"
    assert found["context-tight"].command == "llama-server ... -np 1 -c 65536"
    assert found["slots-shut"].severity == "warn"
    assert codes(read(Traits("llamacpp", 1, 20_000), props=PROPS))["context-tight"] == "warn"


@pytest.mark.parametrize("memory", ["swa", "hybrid", "recurrent"])
def test_a_model_that_cannot_go_back_is_named(memory: Memory) -> None:
    assert codes(read(Traits("llamacpp", 2, 65_536, memory=memory)))[f"memory-{memory}"] == "warn"
    assert "memory-full" not in codes(read(Traits("llamacpp", 2, 65_536, memory="full")))


def test_other_servers_by_their_own_paths() -> None:
    models = {"object": "list", "data": [{"id": "qwen", "owned_by": "vllm", "max_model_len": 40_960}]}
    vllm = read(Traits("anthropic"), version={"version": "0.32.0"}, v1__models=models)
    assert (vllm.name, vllm.version, vllm.model, vllm.traits.context) == ("vLLM", "0.32.0", "qwen", 40_960)
    sglang = read(Traits("anthropic"), get_server_info={"version": "0.5.23", "enable_cache_report": False})
    assert (sglang.name, sglang.flags) == ("SGLang", {"enable_cache_report": False})
    ollama = read(Traits("anthropic"), api__version={"version": "0.31.1"})
    assert (ollama.name, ollama.version) == ("Ollama", "0.31.1")
    assert read(Traits("chat"), api__v0__models={"data": []}).name == "LM Studio"
    assert read(Traits("chat"), v1__models={"data": [{"id": "a", "owned_by": "mlx"}]}).name == "mlx"
    assert read(Traits("chat")).name == ""


def test_a_server_that_takes_no_chat_is_told() -> None:
    assert codes(read(Traits("anthropic", chat=False)))["no-chat"] == "warn"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"nul", b'"a"'])
def test_nonsense_is_no_server_of_a_name(body: bytes) -> None:
    server = read_server(URL, Traits("chat"), dict.fromkeys(QUESTIONS, (200, body)))
    assert (server.name, server.slots, server.flags) == ("", None, {})
    assert judge_server(server)
