"""The rule book: every rule, once. A new rule is one file beside this one and one line here."""

from __future__ import annotations

from typing import Final

from keepwarm.rules import (
    his001,
    his002,
    his003,
    his004,
    his005,
    his006,
    his007,
    his008,
    key001,
    key002,
    key003,
    mrk001,
    mrk002,
    mrk003,
    mrk004,
    ord001,
    ord002,
    ord003,
    rol001,
    sea001,
    sea002,
    srv001,
    srv002,
    srv003,
    srv004,
    srv005,
    srv006,
    srv007,
    vol001,
    vol002,
    vol003,
    vol004,
)
from keepwarm.rules.api import Rule

CODES: Final[dict[str, Rule]] = {
    rule.code: rule
    for rule in (
        vol001.RULE,
        vol002.RULE,
        vol004.RULE,
        vol003.RULE,
        his004.RULE,
        rol001.RULE,
        his001.RULE,
        his007.RULE,
        his002.RULE,
        his003.RULE,
        his006.RULE,
        his005.RULE,
        his008.RULE,
        key001.RULE,
        key002.RULE,
        key003.RULE,
        ord001.RULE,
        ord003.RULE,
        ord002.RULE,
        mrk001.RULE,
        mrk002.RULE,
        mrk003.RULE,
        mrk004.RULE,
        sea001.RULE,
        sea002.RULE,
        srv001.RULE,
        srv002.RULE,
        srv003.RULE,
        srv004.RULE,
        srv005.RULE,
        srv006.RULE,
        srv007.RULE,
    )
}
"""By code. Fixes run in this order; a cause is named by the first rule that knows it, so the specific stand first.
The environment leaves the head before dates are looked for in it; results are in order before reminders join them."""
