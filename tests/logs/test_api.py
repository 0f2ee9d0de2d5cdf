"""What an exchange tells of itself."""

from __future__ import annotations

from keepwarm.logs.api import Exchange, lowered


def test_its_address() -> None:
    whole = Exchange(0.0, "https://api.anthropic.com/v1/messages?beta=true")
    assert (whole.path, whole.host) == ("/v1/messages", "api.anthropic.com")
    bare = Exchange(0.0, "/v1/chat/completions")
    assert (bare.path, bare.host) == ("/v1/chat/completions", "")


def test_when_it_ends() -> None:
    assert Exchange(10.0, "/", total_ms=500.0, first_byte_ms=100.0).ends == 10.5
    assert Exchange(10.0, "/", first_byte_ms=100.0).ends == 10.1
    assert Exchange(10.0, "/").ends == 10.0


def test_names_of_headers() -> None:
    assert lowered({"User-Agent": "A", "x-B": "C"}) == {"user-agent": "A", "x-b": "C"}
