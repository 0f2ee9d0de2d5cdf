"""In whose protocol a request is."""

from __future__ import annotations

import pytest

from keepwarm.core.events import Started
from keepwarm.core.prompt import Options
from keepwarm.wire.fronts import FRONTS, front_of

CLAUDE = "claude-cli/2.1.328 (external, sdk-cli)"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/v1/messages", {}, "anthropic"),
        ("/v1/messages/count_tokens", {"authorization": "Bearer x"}, "anthropic"),
        ("/v1/messagesque", {}, "chat"),
        ("/v1/chat/completions", {"anthropic-version": "2023-06-01"}, "chat"),
        ("/v1/models", {"anthropic-version": "2023-06-01", "authorization": "Bearer x"}, "anthropic"),
        ("/v1/models", {"x-api-key": "x"}, "anthropic"),
        ("/v1/models", {"anthropic-beta": "x"}, "anthropic"),
        ("/v1/models", {"user-agent": CLAUDE}, "anthropic"),
        ("/v1/models", {"user-agent": "Anthropic/Python 2.0"}, "anthropic"),
        ("/v1/models", {"authorization": "Bearer x", "user-agent": "OpenAI/Python 3.54.0"}, "chat"),
        ("/v1/models", {}, "chat"),
        ("/v1/embeddings", {}, "chat"),
    ],
)
def test_a_request_is_known_by_its_path_or_by_its_headers(path: str, headers: dict[str, str], name: str) -> None:
    assert front_of(path, headers).name == name


def test_who_asks_for_chat_completions_is_who_the_body_says_or_nobody() -> None:
    front = FRONTS["chat"]
    ask = b'{"messages":[{"role":"user","content":"x"}]%b}'
    assert front.identity({}, front.parse(ask % b"")).session == ""
    for said, session, trust in (
        (b',"user":"ada"', "ada", "user"),
        (b',"user":"ada","prompt_cache_key":"ses_1"', "ses_1", "prompt_cache_key"),
    ):
        who = front.identity({}, front.parse(ask % said))
        assert (who.session, who.trust) == (session, trust)
    who = front.identity({"x-session-id": "s", "x-parent-session-id": "p"}, front.parse(ask % b',"user":"ada"'))
    assert (who.session, who.parent, who.trust) == ("s", "p", "x-session-id")


def test_a_chunk_bears_the_requests_name_and_time() -> None:
    written = FRONTS["chat"].writer("abc", Options("m", stream=True), 1_700_000_000)
    assert b'"id":"chatcmpl-abc","object":"chat.completion.chunk","created":1700000000,"model":"m"' in written.feed(
        Started()
    )
