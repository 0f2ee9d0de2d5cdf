"""What a request could cost at least: the tokens of its prompt that no server could still have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keepwarm.testing.scenarios.scenario import Client
from keepwarm.testing.scripted import Exchange

IN_COMMON: Final = -1
"""As much as the prompt has in common with the one before it, of what cannot be mended."""


def kept(client: Client, number: int, exchanges: Sequence[Exchange], went: Sequence[int] = ()) -> int:
    """Tokens of request `number` that the server had when it came; or IN_COMMON.

    exchanges  of all requests
    went       the server that each request went to, where there are several
    """
    asks = client.plan.asks
    ask = asks[number]
    if ask.before is None or (ask.after is not None and asks[ask.after].session != ask.session):
        # Another session's history is no history of this one's, whoever has it in his cache.
        return 0
    lasting = {cause.code for cause in client.request(number).truth.causes if not cause.fixable}
    if "SEA002" in lasting:
        same = [other for other in range(number) if went[other] == went[number]]
        return exchanges[same[-1]].held_tokens if same else 0
    if "KEY001" in lasting:
        return 0
    if "HIS008" in lasting:
        return exchanges[ask.before].prompt_tokens
    return IN_COMMON if lasting else exchanges[ask.before].held_tokens


def in_common(first: Sequence[object], second: Sequence[object]) -> int:
    """How many elements two rows share at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(first), len(second)))
