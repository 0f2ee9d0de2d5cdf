"""llama-server: the members that only it reads, and the small requests beside the conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Options
from keepwarm.upstream import llamacpp
from keepwarm.upstream.api import Draft, Outgoing, Traits
from keepwarm.upstream.llamacpp import LlamaCpp

DRAFT = Draft(b"", Options("m"), b"", b"", (b'"x"',), ((0, 1),))
SWITCHES = {"preserve_thinking": True, "clear_thinking": False}
PROPS: dict[str, Any] = {
    "total_slots": 4,
    "default_generation_settings": {"n_ctx": 8192, "params": {}},
    "modalities": {"vision": False, "audio": False},
    "model_path": "/models/SmolLM2.gguf",
    "build_info": "b11549",
}


def sent(**more: Any) -> Any:
    return json.loads(LlamaCpp().request(Draft(**{**{name: getattr(DRAFT, name) for name in FIELDS}, **more})).body)


FIELDS = ("body", "options", "system", "tools", "chunks", "ranges")


# The request


def test_a_request_asks_for_the_cache_the_progress_and_the_slot() -> None:
    assert sent(slot=2) == {
        "model": "m",
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "cache_prompt": True,
        "chat_template_kwargs": SWITCHES,
        "id_slot": 2,
        "messages": ["x"],
    }


def test_the_first_slot_is_a_slot_and_none_is_left_to_the_server() -> None:
    assert sent(slot=0)["id_slot"] == 0
    assert "id_slot" not in sent(slot=None)


@pytest.mark.parametrize("thinking", [True, False])
def test_thinking_is_switched_only_where_the_client_says_so(thinking: bool) -> None:
    assert sent()["chat_template_kwargs"] == SWITCHES
    asked = sent(options=Options("m", thinking=thinking))
    assert asked["chat_template_kwargs"] == {**SWITCHES, "enable_thinking": thinking}


@pytest.mark.parametrize(("said", "asked"), [(None, True), (True, True), (False, False)])
def test_parallel_calls_are_on_unless_the_client_says_no(said: bool | None, asked: bool) -> None:
    options = Options("m", parallel_tools=said)
    assert sent(options=options, tools=b'{"t":1}')["parallel_tool_calls"] is asked
    assert "parallel_tool_calls" not in sent(options=options)


# Beside the conversation


def test_refill_puts_one_token_into_the_slot() -> None:
    outgoing = llamacpp.refill(3)
    assert (outgoing.method, outgoing.path) == ("POST", "/completion")
    assert json.loads(outgoing.body) == {"prompt": "x", "n_predict": 0, "id_slot": 3}


def test_rendering_asks_with_the_very_request() -> None:
    asked = Outgoing("/v1/chat/completions", b"{}", (("x-a", "b"),))
    assert llamacpp.render(asked) == Outgoing("/apply-template", b"{}", (("x-a", "b"),))


def test_clear_puts_the_prompts_first_tokens_into_the_slot() -> None:
    outgoing = llamacpp.clear(1, json.dumps({"tokens": list(range(60))}).encode())
    assert outgoing is not None
    assert outgoing.path == "/completion"
    assert json.loads(outgoing.body) == {"prompt": list(range(8)), "n_predict": 0, "id_slot": 1}


def test_what_is_shared_is_shorter_than_the_common_text_by_what_may_read_otherwise() -> None:
    asked = llamacpp.tokenize_common(b'{"prompt":"a long head, two"}', b'{"prompt":"a long head, one"}')
    assert asked is not None
    assert json.loads(asked.body)["content"] == "a long head, "
    told = json.dumps({"tokens": list(range(20))}).encode()
    for most, tokens in ((10, 10), (100, 16)):
        outgoing = llamacpp.share(2, told, most)
        assert outgoing is not None
        assert json.loads(outgoing.body) == {"prompt": list(range(tokens)), "n_predict": 0, "id_slot": 2}
    assert llamacpp.share(2, b'{"tokens":[1,2,3,4]}', 100) is None


def test_what_is_in_a_slot_is_told_by_the_server() -> None:
    assert llamacpp.slots() == Outgoing("/slots", b"", method="GET")
    rows: list[dict[str, Any]] = [
        {"id": 0, "id_task": 4, "n_prompt_tokens": 500},
        {"id": 1, "id_task": 7, "n_prompt_tokens": 0},
        {"id": 2, "id_task": -1, "n_prompt_tokens": 0},
        {"id": 3, "id_task": 7},
    ]
    told = json.dumps(rows).encode()
    assert [llamacpp.held(told, slot) for slot in range(5)] == [500, 0, None, None, None]
    assert llamacpp.held(b'{"error":{"code":501}}', 0) is None


def test_a_trial_says_the_same_words_twice_and_others_between() -> None:
    first, other, again = llamacpp.trial(1)
    assert first == again
    assert json.loads(other.body) == {"prompt": "x", "n_predict": 0, "id_slot": 1}
    assert llamacpp.reused(b'{"timings":{"cache_n":47,"prompt_n":1}}') == 47
    assert llamacpp.reused(b'{"timings":7}') == llamacpp.reused(b"{}") == 0


def test_a_split_puts_the_first_tokens_into_the_slot_as_the_server_counts_them() -> None:
    outgoing = llamacpp.split(1, b'{"tokens":[5,6,7,8]}', 3)
    assert outgoing is not None
    assert outgoing.path == "/completion"
    assert json.loads(outgoing.body) == {"prompt": [5, 6, 7], "n_predict": 0, "id_slot": 1}
    for counted in (b"", b'{"tokens":[]}', b'{"error":"no"}', b'{"tokens":["a"]}'):
        assert llamacpp.split(1, counted, 3) is None


def test_tokens_are_counted_as_the_server_counts_a_prompt() -> None:
    outgoing = llamacpp.tokenize(b'{"prompt":"<|im_start|>a"}')
    assert outgoing is not None
    assert outgoing.path == "/tokenize"
    assert json.loads(outgoing.body) == {"content": "<|im_start|>a", "add_special": True, "parse_special": True}
    assert llamacpp.tokens(b'{"tokens":[1,2,{"id":3,"piece":"a"}]}') == 3
    assert llamacpp.tokens(b'{"tokens":[]}') == 0
    assert llamacpp.tokens(b'{"error":"no"}') is None


@pytest.mark.parametrize("rendered", [b"", b"[]", b"{}", b'{"prompt":7}', b'{"prompt":""}', b'{"error":{}}'])
def test_without_a_prompt_there_is_nothing_to_ask(rendered: bytes) -> None:
    assert llamacpp.tokenize_common(rendered, rendered) is None
    assert llamacpp.tokenize(rendered) is None


# What the server says of itself


def test_its_properties_are_its_traits() -> None:
    assert llamacpp.traits(json.dumps(PROPS).encode()) == Traits(
        "llamacpp", 4, 8192, vision=False, model="SmolLM2.gguf", version="b11549"
    )


def test_an_alias_is_the_models_name_and_what_is_not_said_is_not_known() -> None:
    assert llamacpp.traits(b'{"total_slots":1,"model_alias":"smol","model_path":"/x.gguf"}') == Traits(
        "llamacpp", 1, None, vision=True, model="smol"
    )


@pytest.mark.parametrize("props", [b"", b"<html>", b"[]", b"{}", b'{"total_slots":"four"}', b"\xff"])
def test_another_server_is_told_apart(props: bytes) -> None:
    assert llamacpp.traits(props) is None


def test_it_names_the_file_of_its_model() -> None:
    assert llamacpp.model_file(json.dumps(PROPS).encode()) == "/models/SmolLM2.gguf"
    assert llamacpp.model_file(b'{"total_slots":1}') == llamacpp.model_file(b'{"model_path":7}') == ""


@given(st.binary(max_size=40))
def test_nothing_that_comes_back_breaks_the_reading(data: bytes) -> None:
    llamacpp.traits(data)
    llamacpp.model_file(data)
    llamacpp.tokens(data)
    llamacpp.tokenize(data)
    llamacpp.clear(0, data)
    llamacpp.held(data, 0)
    llamacpp.reused(data)


def test_what_two_prompts_have_in_common_is_kept_in_the_slot() -> None:
    asked, other = (json.dumps({"prompt": f"<system>\n{words}"}).encode() for words in ("go on", "go back"))
    outgoing = llamacpp.keep(2, asked, other)
    assert outgoing is not None
    assert outgoing.path == "/completion"
    assert json.loads(outgoing.body) == {"prompt": "<system>\ngo ", "n_predict": 0, "id_slot": 2}
    assert llamacpp.keep(2, asked, b'{"prompt":"x"}') is None
    assert llamacpp.keep(2, asked, b"no") is None


# Late tools


def offered(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more, "parameters": {"type": "object"}}}


def test_late_tools_are_offered_and_not_printed() -> None:
    early, late = offered("Bash", description="Runs."), offered("Find")
    asked = sent(tools=json.dumps(early).encode(), late=json.dumps(late).encode())
    assert asked["tools"] == [early, late]
    assert asked["chat_template_kwargs"] == {**SWITCHES, "tools": [early]}


def test_a_tool_without_a_description_is_printed_as_the_server_prints_it() -> None:
    asked = sent(tools=json.dumps(offered("Bash")).encode(), late=json.dumps(offered("Find")).encode())
    assert asked["chat_template_kwargs"]["tools"] == [offered("Bash", description="")]


def test_where_no_tool_is_late_the_template_prints_what_is_offered() -> None:
    assert sent(tools=json.dumps(offered("Bash")).encode())["chat_template_kwargs"] == SWITCHES


def test_where_all_tools_are_late_none_is_printed() -> None:
    asked = sent(late=json.dumps(offered("Find")).encode())
    assert asked["tools"] == [offered("Find")]
    assert asked["chat_template_kwargs"]["tools"] == []
    assert asked["parallel_tool_calls"] is True
