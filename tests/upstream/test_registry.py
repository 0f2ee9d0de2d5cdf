"""Each kind of server has one dialect for each protocol that its clients may speak, known by the kind's name."""

from __future__ import annotations

import pytest

from keepwarm.errors import ConfigError
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import DIALECTS, dialect, dialects

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
