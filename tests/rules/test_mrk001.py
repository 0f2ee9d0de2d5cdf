"""A marker on moving text is one whose own block changed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from keepwarm.rules.mrk001 import misplaced
from tests.core.test_marks import ROW


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ((), False),
        (("/system/0/text",), True),
        (("/system/0",), True),
        (("/system",), True),
        (("/system/01/text",), False),
        (("/messages/0/content/0",), False),
        (("/messages/1", "/system/0/text"), True),
    ],
)
def test_a_marked_block_that_changed(changed: tuple[str, ...], named: bool) -> None:
    assert misplaced(replace(ROW, changed=changed)) is named
