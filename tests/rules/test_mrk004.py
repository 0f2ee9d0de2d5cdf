"""The least that a model's provider keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from msgspec.structs import replace

from keepwarm.core.marks import Row
from keepwarm.rules.mrk004 import minimum, misplaced
from tests.rules.rows import rows


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-opus-4-7", 4096),
        ("anthropic/claude-opus-4.6", 4096),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 4096),
        ("claude-3-5-haiku-20241022", 2048),
        ("claude-sonnet-4-6", 1024),
        ("claude-opus-4-8", 1024),
        ("claude-opus-4-1", 1024),
        ("something-new", 512),
    ],
)
def test_the_minimum_of_a_model_by_its_name(model: str, tokens: int) -> None:
    assert minimum(model) == tokens


@given(rows)
def test_it_is_named_only_where_even_the_last_marker_is_too_early(row: Row) -> None:
    if misplaced(row):
        assert row.marks
        assert all(row.tokens(at) < row.minimum for at in row.marks)
    assert not misplaced(replace(row, minimum=0))
