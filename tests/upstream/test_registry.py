"""Each kind of server has one dialect for each protocol that its clients may speak, known by the kind's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from keepwarm.errors import ConfigError
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import DIALECTS, dialect, dialects
from tests.upstream.byte_path import Sender

GOLDEN = Path(__file__).parent / "golden"
REQUESTS = Path(__file__).parents[1] / "wire" / "golden"
FIXTURES = {"anthropic": ("main_request", "every_block"), "chat": ("chat/every_message",)}
PAIRS = [(kind, front) for kind, row in DIALECTS.items() for front in row]


@pytest.mark.parametrize(("kind", "front"), PAIRS)
def test_a_dialect_is_made_for_its_kind(kind: str, front: str) -> None:
    made = dialect(Traits(kind, context=9), "local", front)
    assert made.name == kind
    assert made.same_protocol == (made.protocol == front)


def test_every_kind_of_server_serves_clients_of_the_messages_api() -> None:
    assert all("anthropic" in dialects(Traits(kind)) for kind in DIALECTS)


def test_a_server_that_takes_no_chat_completions_serves_no_client_of_them() -> None:
    assert dialects(Traits("anthropic", chat=False)).keys() == {"anthropic"}


def test_a_kind_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no upstream kind 'vllm': use one of llamacpp, anthropic, chat"):
        dialect(Traits("vllm"))


# Golden files: each request as every dialect sends it


def sent(kind: str, front: str, fixture: str) -> bytes:
    """What leaves for a request, in slot 1 where there are slots."""
    sender = Sender(kind=kind, front=front)
    sender.send((REQUESTS / f"{fixture}.json").read_bytes())
    assert sender.stable is not None
    return dialect(Traits(kind), front=front).request(replace(sender.stable.draft, slot=1)).body


CELLS = [(kind, front, fixture) for kind, front in PAIRS for fixture in FIXTURES[front]]


@pytest.mark.parametrize(("kind", "front", "fixture"), CELLS)
def test_a_request_leaves_as_the_golden_file_says(kind: str, front: str, fixture: str) -> None:
    golden = GOLDEN / f"{Path(fixture).name}.{kind}.json"
    assert sent(kind, front, fixture) == golden.read_bytes()
