"""What to change: for each cause the sentence of its rule page, and the command or setting that helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.rules.api import Rule

_DO: Final[Mapping[str, str]] = {
    "VOL001": "`CLAUDE_CODE_ATTRIBUTION_HEADER=0` in ~/.claude/settings.json: `keepwarm fix claude` writes it",
    "HIS005": "Compact less often: a larger context for each slot (llama.cpp: `--ctx-size` is shared by `--parallel`)",
    "KEY002": "`cache_key = true` under `[upstream]` in keepwarm.toml, where the server routes by it",
    "SEA001": "More slots than conversations at a time: `llama-server --parallel N`, or `keepwarm serve --slots N`",
    "SEA002": "Let the balancer route by a header that `affinity_headers` under `[upstream]` in keepwarm.toml names",
    "SRV002": "llama.cpp: more `--ctx-checkpoints`; with a sliding window `--swa-full`",
    "SRV003": "A larger context: llama.cpp `--ctx-size`, Ollama `OLLAMA_CONTEXT_LENGTH`, vLLM `--max-model-len`",
    "SRV004": "Keep the model loaded (Ollama: `OLLAMA_KEEP_ALIVE=-1`), and look why the server was started anew",
    "SRV005": "llama.cpp: a larger `--cache-ram`, or a slot for each conversation (`--parallel`)",
    "SRV006": "vLLM `--enable-prompt-tokens-details`, SGLang `--enable-cache-report`",
    "SRV007": "vLLM: leave `--no-enable-prefix-caching` out; SGLang: leave `--disable-radix-cache` out",
}
"""By rule, what helps besides the rule itself."""
_LOOK: Final = "`keepwarm explain ID` of the worst requests shows the place that differs"


class Advice(msgspec.Struct, frozen=True):
    """What is to be said of a cause."""

    name: str
    does: str
    """What the rule does, in a sentence."""
    why: str
    """Why it costs, the first paragraph of the page."""
    steps: tuple[str, ...]
    """What to change, the surest first; commands stand in backticks."""


def advice(code: str, rules: Mapping[str, Rule], applied: frozenset[str], *, logged: bool = False) -> Advice:
    """Of one cause.

    rules    the rule book, by code
    applied  the rules that are switched on here
    logged   what happened stands in a log and did not pass through here
    """
    rule = rules.get(code)
    if rule is None:
        told = "no rule knows this cause" if not code else f"{code} is no rule of this keepwarm"
        look = "The place that differs is said of each of the worst requests" if logged else _LOOK
        return Advice(told, "", "", (look,))
    steps = [_DO[code]] if code in _DO else []
    if rule.mends and code not in applied:
        steps.insert(0, f'Switch the rule on: `on = ["{code}"]` under `[rules]` in keepwarm.toml')
    elif rule.mends and logged:
        steps.insert(0, "Send it through keepwarm, which mends this: `keepwarm run claude`, or `keepwarm serve`")
        steps.append(f"The whole page: `keepwarm rule {code}`")
    elif rule.mends:
        steps.append(f"The rule is on here; why it lost all the same: `keepwarm explain ID`, `keepwarm rule {code}`")
    else:
        steps += [_first(rule.page, "What goes upstream instead"), f"The whole page: `keepwarm rule {code}`"]
    return Advice(rule.name, _first(rule.page, "What it does"), _first(rule.page, "Why it costs you"), tuple(steps))


def _first(page: str, heading: str) -> str:
    """The first paragraph under a heading of a rule's page, on one line."""
    _, _, rest = page.partition(f"## {heading}\n")
    paragraph = rest.partition("\n## ")[0].strip().partition("\n\n")[0]
    return " ".join(paragraph.split())
