"""`keepwarm rule`: the rules with what is switched how, and the page that each carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from keepwarm.errors import ConfigError
from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.shelf import Shelf
from keepwarm.views import words

State: TypeAlias = Literal["on", "off", "names"]
"""Whether a rule is applied; "names": it never changes anything, or may not here, and only names the cause."""
OURS: Final = "keepwarm"
_SAFETY: Final = {
    Safety.EXACT: "EXACT: the model reads the same words",
    Safety.ORDER: "ORDER: the model reads the same words at another place",
    Safety.MEANING: "MEANING: the words that the model reads change",
}
_STATES: Final = {"on": "on", "off": "off", "names": "names only"}


class Entry(msgspec.Struct, frozen=True):
    """A rule as `keepwarm rule --json` tells of it."""

    code: str
    name: str
    safety: str
    """"exact", "order" or "meaning"."""
    state: State
    """For every client that has no table of its own."""
    clients: dict[str, State]
    """For those that have one: by the table's name, where it is another."""
    source: str
    """"keepwarm", or the distribution that brought it."""
    page: str = ""
    """Markdown; only of a rule that was asked for."""


class RuleList(msgspec.Struct, frozen=True):
    """All rules, as they are configured."""

    shelf: Shelf = Shelf()
    rewrite: bool = True
    """False: nothing is rewritten, whatever is switched on."""
    sources: Mapping[str, str] = {}
    """The distribution of each rule that is not keepwarm's own, by code."""
    refused: Sequence[str] = ()
    """What is to be said of rules that were left out."""

    def entry(self, rule: Rule, page: str = "") -> Entry:
        """What there is to say of a rule."""
        state = self._state(rule, "")
        others = {name: self._state(rule, name) for name in self.shelf.clients}
        return Entry(
            rule.code,
            rule.name,
            rule.safety.name.lower(),
            state,
            {name: other for name, other in others.items() if other != state},
            self.sources.get(rule.code, OURS),
            page,
        )

    def _state(self, rule: Rule, client: str) -> State:
        if not rule.mends or not self.rewrite:
            return "names"
        return "on" if self.shelf.book(client).has(rule.code) else "off"


def markdown(rule: Rule, source: str = OURS) -> str:
    """The rule's page with its name and its safety on top."""
    applied = "applied unless it is switched off" if rule.on else "not applied unless it is switched on"
    applied = applied if rule.mends else "names a cause and changes nothing"
    origin = "" if source == OURS else f" From {source}."
    return f"# {rule.code} {rule.name}\n\n{_SAFETY[rule.safety]}; {applied}.{origin}\n\n{rule.page.strip()}\n"


def print_rule(
    code: str | None = None,
    console: Console | None = None,
    rules: RuleList | None = None,
    as_json: bool = False,
) -> None:
    """Prints the page of the rule `code` (in any case), or without one a list of all rules.

    rules  as they are configured; keepwarm's own as they are by themselves when None

    A terminal gets it laid out, a pipe or a terminal that is not UTF-8 the Markdown text, `as_json` an Entry or a list
    of them. Raises ConfigError for a code that is no rule's.
    """
    console, rules = console or Console(), rules or RuleList()
    known = rules.shelf.rules
    if code is None:
        entries = [rules.entry(rule) for rule in known.values()]
        if as_json:
            _print_json(console, entries)
        else:
            _print_list(console, entries, rules)
        return
    found = known.get(code.upper())
    if found is None:
        raise ConfigError(f"there is no rule {words.clean(code)!r}; there are {', '.join(known)}")
    page = markdown(found, rules.sources.get(found.code, OURS))
    if as_json:
        _print_json(console, rules.entry(found, page))
    elif console.options.ascii_only or not console.is_terminal:
        text = words.ascii_only(page) if console.options.ascii_only else page
        console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True, end="")
    else:
        console.print(Markdown(page))


def _print_list(console: Console, entries: Sequence[Entry], rules: RuleList) -> None:
    foreign = any(entry.source != OURS for entry in entries)
    table = Table(box=None, pad_edge=False)
    for name in ("code", "name", "safety", "state", *(("from",) if foreign else ())):
        table.add_column(name)
    for entry in entries:
        state = _STATES[entry.state]
        state += "".join(f", {_STATES[other]} for {words.clean(name)}" for name, other in entry.clients.items())
        source = (words.clean(entry.source),) if foreign else ()
        table.add_row(entry.code, words.clean(entry.name), entry.safety, state, *source)
    console.print(table, highlight=False)
    console.print(f"What a rule does, with an example:  keepwarm rule {entries[0].code}", highlight=False, style="dim")
    for line in rules.refused:
        console.print(words.clean(line), style="yellow", markup=False, highlight=False, soft_wrap=True)


def _print_json(console: Console, value: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(value)).decode()
    console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
