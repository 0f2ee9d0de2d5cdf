"""Each kind of server has one dialect, known by its name."""

from __future__ import annotations

import pytest

from keepwarm.errors import ConfigError
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import DIALECTS, dialect


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_dialect_is_made_for_its_kind(kind: str) -> None:
    made = dialect(Traits(kind, context=9), "local")
    assert made.name == kind
    assert made.same_protocol == (kind == "anthropic")


def test_a_kind_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no upstream kind 'vllm': use one of llamacpp, anthropic, chat"):
        dialect(Traits("vllm"))
