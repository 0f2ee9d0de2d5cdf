"""What the API answers is JSON that says the same again when it is read."""

from __future__ import annotations

import msgspec

from keepwarm.views.alerts import Alert
from keepwarm.views.answers import (
    Fault,
    GatewayFacts,
    LedgerFacts,
    Live,
    ProgressFacts,
    Refusal,
    Running,
    SlotFacts,
    UpstreamFacts,
)

LIVE = Live(
    GatewayFacts("0.1.0", "http://127.0.0.1:8787", 1.0),
    UpstreamFacts("http://127.0.0.1:8080", "llamacpp", 2, 8192, "tiny", "b1"),
    (SlotFacts(0, "s1", "l1", "main", 40, True), SlotFacts(1, "", "", "", None, False)),
    (Running("r1", "s1", "l1", "main", "claude-cli/2", "tiny", 2.0, "prefill", 0, ProgressFacts(1, 2, 0, 3.0)),),
    (Alert("cause", 1.0, "r0", "s1", "claude-cli/2", "VOL001", None, None, "words"),),
    None,
    LedgerFacts("", 0, ""),
)


def test_what_happens_now_is_read_as_it_was_written() -> None:
    assert msgspec.json.decode(msgspec.json.encode(LIVE), type=Live) == LIVE


def test_an_error_has_a_message_and_a_remedy() -> None:
    said = msgspec.json.decode(msgspec.json.encode(Refusal(Fault("it is so", "do this"))))
    assert said == {"error": {"message": "it is so", "remedy": "do this"}}
