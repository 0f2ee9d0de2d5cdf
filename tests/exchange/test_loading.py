"""Load options of a model: one word for all callers, spliced into the client's own bytes."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.exchange.commands import Open
from keepwarm.exchange.loading import Loads
from keepwarm.rules.engine import rule_book
from keepwarm.testing.answers import Answer
from tests.exchange.playbook import Playbook, chat, keeper


def body(**fields: Any) -> bytes:
    said = {"model": "qwen", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    return msgspec.json.encode(said | {"stream_options": {"include_usage": True}} | fields)


def sent(on: Any, data: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """(what went up, code and path of each change) for a request of a chat completions client."""
    played = Playbook(data, on, front="chat").answer_with(chat(Answer("Yes.")))
    (opening,) = [command for command in played.commands if isinstance(command, Open)]
    return opening.request.body, [(edit.code, edit.path) for edit in played.over().edits]


def test_the_first_callers_options_hold_and_each_change_is_listed() -> None:
    on = keeper("chat")
    first = body(options={"num_ctx": 32768, "temperature": 0.5}, keep_alive="30m")
    assert sent(on, first) == (first, [])
    said, changes = sent(on, body(options={"temperature": 1, "num_ctx": 4096}))
    told = msgspec.json.decode(said)
    assert told["options"] == {"temperature": 1, "num_ctx": 32768}
    assert told["keep_alive"] == "30m"
    assert changes == [("KEY003", "/keep_alive"), ("KEY003", "/options/num_ctx")]
    plain = body()
    assert sent(on, plain) == (plain, [])


def test_switched_off_it_changes_nothing() -> None:
    on = keeper("chat", rules=rule_book(off=["KEY003"]))
    for number in (32768, 4096):
        said = body(options={"num_ctx": number})
        assert sent(on, said) == (said, [])


def test_what_cannot_be_read_is_left_to_the_server() -> None:
    loads = Loads()
    assert loads.settle("m", [("options", b"[1]"), ("keep_alive", b'"5m"')]) == ((), ())
    members, edits = loads.settle("m", [("options", b"7"), ("keep_alive", b"0")])
    assert members == (("keep_alive", b'"5m"'),)
    assert [edit.path for edit in edits] == ["/keep_alive"]


raws = st.fixed_dictionaries(
    {},
    optional={
        "keep_alive": st.sampled_from((b'"5m"', b"-1")),
        "shift": st.sampled_from((b"true", b"false")),
        "options": st.sampled_from((b"{}", b'{"num_ctx":4096}', b'{ "seed":1, "num_ctx":8192 }', b'{"num_gpu":1}')),
    },
)


@given(st.lists(raws, max_size=5))
def test_what_went_up_goes_up_again_unchanged(callers: list[dict[str, bytes]]) -> None:
    loads = Loads()
    for said in callers:
        members, _ = loads.settle("m", said.items())
        assert loads.settle("m", (said | dict(members)).items()) == ((), ())


def test_models_do_not_pile_up() -> None:
    loads = Loads()
    for number in range(1000):
        loads.settle(f"m{number}", [("shift", b"true")])
    assert len(loads._held) <= 256
