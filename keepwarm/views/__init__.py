"""What a person sees of the ledger in a terminal: `keepwarm log`, `explain` and `rule`."""

from __future__ import annotations

from keepwarm.views.explain import print_explain
from keepwarm.views.log import print_log
from keepwarm.views.rule import print_rule

__all__ = ["print_explain", "print_log", "print_rule"]
