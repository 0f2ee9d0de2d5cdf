"""What a running gateway says of this moment, as it comes over its API (`views/answers`)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from keepwarm.views.answers import Live, LiveProgress


def read_live(data: bytes) -> Live:
    """The answer of `/api/live`. Raises msgspec.MsgspecError when it is another thing."""
    return msgspec.json.decode(data, type=Live)


def step(live: Live, data: bytes) -> Live:
    """The same moment, with what an event `progress` tells of one request. Raises msgspec.MsgspecError."""
    told = msgspec.json.decode(data, type=LiveProgress)
    running = tuple(replace(one, progress=told.progress) if one.call == told.call else one for one in live.running)
    return replace(live, running=running)
