"""A body in the order in which it is read."""

from __future__ import annotations

import itertools
import json

import pytest

from keepwarm.core.diff import common_prefix
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.reading_order import as_read
from keepwarm.testing.verify_session import VerifySession


@pytest.mark.parametrize("chat", [False, True])
def test_a_session_without_the_line_only_grows_and_one_with_it_does_not(chat: bool) -> None:
    for header in (False, True):
        session = VerifySession("n", 900, header=header, style="2.1.114", model="m")
        texts = []
        for _ in range(3):
            body = session.request().body
            texts.append(as_read(to_chat(body) if chat else body))
            session.receive([{"type": "text", "text": "yes"}])
        for before, after in itertools.pairwise(texts):
            assert after.startswith(before) is not header
            assert (common_prefix(before, after) < 120) is header


def test_system_comes_first_wherever_it_stands() -> None:
    body = {"messages": [{"role": "user", "content": "c"}], "tools": [{"name": "b"}], "system": [{"text": "a"}]}
    assert as_read(json.dumps(body).encode()) == 'a\n{"name": "b"}\nuser\nc'


@pytest.mark.parametrize("body", [b"", b"[]", b"no", b"{}"])
def test_what_is_no_request_reads_as_nothing(body: bytes) -> None:
    assert as_read(body) == ""
