"""Which rules are in force for whom: tables of settings in, a rule book for each client out.

The tables are laid over each other, the general ones first: `[rules]`, then `[upstream.rules]`, then every
`[clients.NAME]` that fits the client, the name that says most last. Of a level or an option the last word counts;
what is switched off or on adds up, and of two words about one rule the last counts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final, Protocol

import msgspec

from keepwarm.core import digest
from keepwarm.errors import ConfigError
from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import RuleBook

_BOOKS: Final = 256
"""Clients whose books are kept ready: a User-Agent is a stranger's word, and there is no end of those."""
_GLOB: Final = frozenset("*?[]")


class Table(msgspec.Struct, frozen=True):
    """What one table of settings says about rules."""

    name: str
    """As the user wrote it: "[rules]", "[clients.qwen-code]"."""
    client: str = ""
    """The clients that it is for: a program's name or "name/version", with * and ?; "" for all."""
    level: Safety | None = None
    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    hold_tools: bool | None = None

    def fits(self, client: str) -> bool:
        """Whether it is for the client with this name and version."""
        pattern, said = self.client.lower(), client.lower()
        return not pattern or fnmatchcase(said, pattern) or fnmatchcase(said.rpartition("/")[0] or said, pattern)

    def weight(self) -> tuple[int, bool]:
        """How much its pattern says: the more letters the more, and a whole name more than one with a *."""
        return sum(letter not in _GLOB for letter in self.client), not _GLOB & set(self.client)


class Books(Protocol):
    """Where a request finds its rules."""

    def book(self, client: str) -> RuleBook:
        """The rules in force for a client ("claude-cli/2.1.114", "" where it does not say)."""


class Shelf:
    """The rule books, one for each kind of client, made when the first of them comes.

    tables   for everybody the general one first; those for clients in any order
    others   rules beside keepwarm's own

    Raises ConfigError for a code that no rule has, naming the table and the setting.
    """

    def __init__(self, tables: Iterable[Table] = (), others: Iterable[Rule] = ()) -> None:
        self.rules: Mapping[str, Rule] = CODES | {rule.code: rule for rule in others}
        """Every rule that is known, in the order in which they run."""
        rows = tuple(tables)
        self._tables = tuple(sorted(rows, key=lambda table: (bool(table.client), *table.weight())))
        self._books: dict[str, RuleBook] = {}
        for table in rows:
            for setting, codes in (("off", table.off), ("on", table.on)):
                for code in codes:
                    if code not in self.rules:
                        raise ConfigError(
                            f"{table.name} {setting}: there is no rule {code}: `keepwarm rule` lists the codes"
                        )
        self._everybody = self._bind("")

    @property
    def clients(self) -> tuple[str, ...]:
        """The names of clients that have a table of their own, as they were written."""
        return tuple(table.client for table in self._tables if table.client)

    def book(self, client: str) -> RuleBook:
        """The rules in force for a client."""
        found = self._books.get(client)
        if found is None:
            if len(self._books) >= _BOOKS:
                self._books.clear()
            found = self._books[client] = self._bind(client)
        return found

    def _bind(self, client: str) -> RuleBook:
        level = Safety.MEANING
        switched: dict[str, bool] = {}
        hold_tools = False
        for table in self._tables:
            if not table.fits(client):
                continue
            level = level if table.level is None else table.level
            hold_tools = hold_tools if table.hold_tools is None else table.hold_tools
            switched |= dict.fromkeys(table.on, True) | dict.fromkeys(table.off, False)
        rules = tuple(rule for code, rule in self.rules.items() if switched.get(code, rule.on and rule.safety <= level))
        return RuleBook(rules, tuple(self.rules.values()), _mark(rules), hold_tools)


def _mark(rules: tuple[Rule, ...]) -> bytes:
    return digest.of_text(*(rule.code for rule in rules if rule.message is not None))
