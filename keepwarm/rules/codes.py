"""The rule book: every rule, once. A new rule is one file beside this one and one line here."""

from __future__ import annotations

from typing import Final

from keepwarm.rules import (
    his002,
    his003,
    his005,
    his006,
    ord001,
    ord002,
    rol001,
    sea001,
    srv001,
    vol001,
    vol002,
    vol004,
)
from keepwarm.rules.api import Rule

CODES: Final[dict[str, Rule]] = {
    rule.code: rule
    for rule in (
        vol001.RULE,
        vol002.RULE,
        vol004.RULE,
        rol001.RULE,
        his002.RULE,
        his003.RULE,
        his005.RULE,
        his006.RULE,
        ord001.RULE,
        ord002.RULE,
        sea001.RULE,
        srv001.RULE,
    )
}
"""By code. Fixes run in this order; a cause is named by the first rule that knows it, so the specific stand first."""
