"""A server that has been started anew: what shows it, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.upstream.fresh_start import Tally, has_started_anew

TALLY = Tally(requests=9, tokens=5_000, at=1_000.0, slots=(0, 1), slot=0)
LLAMA = (
    b"# TYPE llamacpp:prompt_tokens_total counter\nllamacpp:prompt_tokens_total %d\nllamacpp:tokens_predicted_total 3\n"
)


def vllm(started: float, *tokens: float) -> bytes:
    rows = [f"process_start_time_seconds {started}"]
    rows += [f'vllm:prompt_tokens_total{{engine="{at}",model_name="m"}} {count}' for at, count in enumerate(tokens)]
    return "\n".join(["# HELP", *rows, 'vllm:prompt_tokens_created{engine="0"} 3.0']).encode()


def slots(*tasks: int | None) -> bytes:
    rows: list[dict[str, Any]] = [{"id": at, "n_ctx": 512, "id_task": task} for at, task in enumerate(tasks)]
    return json.dumps([{name: value for name, value in row.items() if value is not None} for row in rows]).encode()


def ask(kind: str, tally: Tally = TALLY, **bodies: bytes) -> tuple[bool, list[str]]:
    """(what comes of it, what was asked); where no body is given the server answers 501."""
    steps, asked = has_started_anew(kind, tally, (("authorization", "Bearer k"),)), []
    try:
        request = next(steps)
        while True:
            assert (request.method, request.headers) == ("GET", (("authorization", "Bearer k"),))
            asked.append(request.path)
            body = bodies.get(request.path[1:])
            request = steps.send((501, b"{}") if body is None else (200, body))
    except StopIteration as over:
        return over.value, asked


def test_llama_cpps_tasks_begin_at_0_again() -> None:
    assert ask("llamacpp", slots=slots(3, 1)) == (True, ["/slots"])
    assert ask("llamacpp", slots=slots(8, 1)) == (False, ["/slots", "/metrics"])
    assert not ask("llamacpp", slots=slots(412, 380))[0]


def test_a_slot_that_was_used_has_had_no_task_after_a_sleep() -> None:
    assert ask("llamacpp", slots=slots(412, None, None))[0]
    assert not ask("llamacpp", slots=slots(412, 4, None))[0]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'[{"id":0}]', slots(None, 3), slots(-1, -1), b'[{"id":"a"}]'])
def test_a_server_that_does_not_number_its_past_tasks_shows_nothing_there(body: bytes) -> None:
    assert ask("llamacpp", slots=body) == (False, ["/slots", "/metrics"])


def test_fewer_tokens_than_it_has_answered_for() -> None:
    assert ask("llamacpp", metrics=LLAMA % 4_999)[0]
    assert not ask("llamacpp", metrics=LLAMA % 5_000)[0]
    assert ask("anthropic", metrics=vllm(500.0, 2_000, 2_999)) == (True, ["/metrics"])
    assert not ask("anthropic", metrics=vllm(500.0, 2_000, 3.1e3))[0]


def test_vllm_says_when_it_was_started() -> None:
    assert ask("chat", metrics=vllm(1_000.5, 9e9))[0]
    assert not ask("chat", metrics=vllm(999.5, 9e9))[0]
    unknown = Tally(requests=1, tokens=0, at=0.0)
    assert not ask("chat", unknown, metrics=vllm(1_000.5, 9e9))[0]


@pytest.mark.parametrize("body", [b"", b"<html>", b"vllm:prompt_tokens_total 1.2.3\n", b"other_total 3\n"])
def test_other_words_show_nothing(body: bytes) -> None:
    assert ask("chat", metrics=body) == (False, ["/metrics"])
