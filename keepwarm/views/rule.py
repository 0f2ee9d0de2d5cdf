"""`keepwarm rule CODE`: the page that each rule carries."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from keepwarm.errors import ConfigError
from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.codes import CODES
from keepwarm.views import words

_SAFETY = {
    Safety.EXACT: "EXACT: the model reads the same words",
    Safety.ORDER: "ORDER: the model reads the same words at another place",
    Safety.MEANING: "MEANING: the words that the model reads change",
}


def markdown(rule: Rule) -> str:
    """The rule's page with its name and its safety on top."""
    applied = "applied unless it is switched off" if rule.on else "not applied unless it is switched on"
    return f"# {rule.code} {rule.name}\n\n{_SAFETY[rule.safety]}; {applied}.\n\n{rule.page.strip()}\n"


def print_rule(code: str | None = None, console: Console | None = None) -> None:
    """Prints the page of the rule `code` (in any case), or without one a list of all rules.

    A terminal gets it laid out, a pipe or a terminal that is not UTF-8 the Markdown text. Raises ConfigError for a
    code that is no rule's.
    """
    console = console or Console()
    plain = console.options.ascii_only or not console.is_terminal
    if code is None:
        table = Table(box=None, pad_edge=False)
        for name in ("code", "name", "safety", "what it does"):
            table.add_column(name)
        for rule in CODES.values():
            table.add_row(rule.code, rule.name, rule.safety.name.lower(), "mends it" if _mends(rule) else "names it")
        console.print(table, highlight=False)
        return
    found = CODES.get(code.upper())
    if found is None:
        raise ConfigError(f"there is no rule {words.clean(code)!r}; there are {', '.join(CODES)}")
    page = markdown(found)
    if plain:
        text = words.ascii_only(page) if console.options.ascii_only else page
        console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True, end="")
    else:
        console.print(Markdown(page))


def _mends(rule: Rule) -> bool:
    # SEA001 mends by where a request is sent, which is no edit of what it says.
    return rule.code == "SEA001" or any((rule.system, rule.tools, rule.message, rule.turn))
