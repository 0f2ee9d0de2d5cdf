"""How a server is asked for the tokens of a prompt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.upstream.api import Outgoing
from keepwarm.upstream.token_ids import LlamaCpp, NotTold, Prompt, Questions, Render, Tokenize, Way, ask, ways

Json = dict[str, Any]
KEY = (("authorization", "Bearer k"),)
CHAT = Outgoing("/v1/chat/completions", b'{"model":"m","messages":[]}', KEY)
Answers = list[tuple[int, Any]]


def told(questions: Questions[Any], answers: Answers) -> tuple[Any, list[Outgoing]]:
    """(what comes of questions that are answered so, the questions)."""
    asked: list[Outgoing] = []
    row = iter(answers)
    try:
        asked.append(next(questions))
        while True:
            status, body = next(row)
            asked.append(questions.send((status, body if isinstance(body, bytes) else json.dumps(body).encode())))
    except StopIteration as over:
        return over.value, asked


def test_llama_cpp() -> None:
    answers: Answers = [(200, {"prompt": "<s>hi"}), (200, {"tokens": [1, 2]})]
    prompt, asked = told(LlamaCpp().prompt(CHAT), answers)
    assert prompt == Prompt([1, 2], "<s>hi")
    assert [one.path for one in asked] == ["/apply-template", "/tokenize"]
    assert asked[0].body == CHAT.body
    assert json.loads(asked[1].body) == {"content": "<s>hi", "add_special": True, "parse_special": True}
    assert {one.headers for one in asked} == {KEY}


@pytest.mark.parametrize(
    ("props", "clock"),
    [
        ({"chat_template": "{{ messages }}"}, False),
        ({"chat_template": "{{ strftime_now('%d') }}"}, True),
        ({}, True),
    ],
)
def test_llama_cpp_shows_its_template(props: Json, clock: bool) -> None:
    found, asked = told(LlamaCpp().has_clock(CHAT), [(200, props)])
    assert found is clock
    assert [(one.method, one.path, one.headers) for one in asked] == [("GET", "/props", KEY)]


def test_vllm() -> None:
    prompt, asked = told(Render().prompt(CHAT), [(200, {"token_ids": [1, 2]})])
    assert prompt == Prompt([1, 2])
    assert (asked[0].path, asked[0].body) == ("/v1/chat/completions/render", CHAT.body)
    prompt, asked = told(Tokenize().prompt(CHAT), [(200, {"count": 2, "max_model_len": 9, "tokens": [1, 2]})])
    assert prompt == Prompt([1, 2])
    assert (asked[0].path, asked[0].body) == ("/tokenize", CHAT.body)
    words, asked = told(Tokenize().words(CHAT, [1, 2]), [(200, {"prompt": "hi"})])
    assert words == "hi"
    assert json.loads(asked[0].body) == {"model": "m", "tokens": [1, 2]}
    assert told(Render().has_clock(CHAT), []) == (True, [])


def test_the_first_way_that_leads_somewhere() -> None:
    row = ways("chat", "chat")
    answers: Answers = [(403, {"error": {}}), (200, {"tokens": []}), (200, {"prompt": "x"}), (200, {"tokens": [7]})]
    (way, prompt), asked = told(ask(row, CHAT), answers)
    assert isinstance(way, LlamaCpp)
    assert prompt == Prompt([7], "x")
    assert [one.path for one in asked] == [
        "/v1/chat/completions/render", "/tokenize", "/apply-template", "/tokenize"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "never"),
    [
        ([(404, b""), (404, b""), (404, b"")], True),
        ([(404, b""), (503, b""), (404, b"")], False),
        ([(0, b""), (0, b""), (0, b"")], False),
        ([(200, b"<html>"), (200, b"[]"), (200, {"prompt": 1})], True),
        ([(200, {"token_ids": ["a"]}), (200, {"tokens": "x"}), (200, {"prompt": ""})], True),
    ],
)
def test_a_server_that_does_not_tell(answers: Answers, never: bool) -> None:
    with pytest.raises(NotTold) as raised:
        told(ask(ways("chat", "chat"), CHAT), answers)
    assert raised.value.never is never


@pytest.mark.parametrize(
    ("kind", "protocol", "expected"),
    [
        ("llamacpp", "chat", [LlamaCpp]),
        ("anthropic", "anthropic", [Render]),
        ("anthropic", "chat", [Render, Tokenize, LlamaCpp]),
        ("another", "chat", []),
    ],
)
def test_the_ways_of_each_kind(kind: str, protocol: str, expected: list[type[Way]]) -> None:
    assert [type(way) for way in ways(kind, protocol)] == expected
