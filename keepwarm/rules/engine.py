"""Run the rules that are switched on, in the order of the rule book, and gather what they changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from keepwarm.core.diff import Difference, common_prefix
from keepwarm.core.marks import Row
from keepwarm.core.prompt import Edit, EditNote, Head, Message, Notice, Options, SystemBlock, Tool, Turn
from keepwarm.core.sketch import ChangeKind
from keepwarm.errors import ConfigError
from keepwarm.rules.api import FirstSeen, Fix, HeadFix, Memory, Rule, Safety, V
from keepwarm.rules.codes import CODES

_PLACES: Final = ("system", "message", "turn", "options")
"""Functions of rules that are asked for on each request."""


class RuleBook(msgspec.Struct, frozen=True):
    """The rules in force for one client towards one upstream."""

    rules: tuple[Rule, ...] = ()
    known: tuple[Rule, ...] = tuple(CODES.values())
    """Every rule, in force or not: any of them may name a cause."""
    mark: bytes = b""
    """Tells books apart that read one message in different ways."""
    hold_tools: bool = False
    """Whether a tool that comes late is held back until the head changes anyway (ORD002)."""

    by_place: dict[str, tuple[Rule, ...]] = {}
    """Those in force that have a function for a place, by its name: made from `rules`."""

    def __post_init__(self) -> None:
        places = {name: tuple(r for r in self.rules if getattr(r, name) is not None) for name in _PLACES}
        msgspec.structs.force_setattr(self, "by_place", places)

    def book(self, client: str) -> RuleBook:
        """The rules in force for a client: where there is one book, it is for all."""
        return self

    def has(self, code: str) -> bool:
        """Whether a rule is in force."""
        return any(rule.code == code for rule in self.rules)

    def note(self, edit: Edit) -> EditNote:
        """An edit as the record has it: without its words."""
        same = common_prefix(edit.before, edit.after)
        gone, come = len(edit.before) - same, len(edit.after) - same
        return EditNote(edit.code, edit.path, self.safety(edit.code), gone, come, edit.note)

    def safety(self, code: str) -> str:
        """How safe a rule's fix is, as a record says it: "exact"."""
        return next(rule.safety for rule in self.known if rule.code == code).name.lower()

    def system(self, blocks: Iterable[SystemBlock]) -> Fix[tuple[SystemBlock, ...]]:
        """The system prompt without what was never meant for the model."""
        kept: list[SystemBlock] = []
        edits: list[Edit] = []
        metadata: list[tuple[str, str]] = []
        for block in blocks:
            now: SystemBlock | None = block
            for rule in self.by_place["system"]:
                if rule.system is None or now is None:
                    break
                fix = rule.system(now)
                now = fix.value
                edits += fix.edits
                metadata += fix.metadata
            if now is not None:
                kept.append(now)
        return Fix(tuple(kept), tuple(edits), tuple(metadata))

    def head(self, head: Head, seen: Head | None) -> HeadFix:
        """System and tools without what would part them from the head that the conversation sent last."""
        edits: list[Edit] = []
        notices: list[Notice] = []
        for rule in self.rules:
            if rule.head is not None:
                fix = rule.head(head, seen)
                head = fix.head
                edits += fix.edits
                notices += fix.notices
        return HeadFix(head, tuple(edits), tuple(notices))

    def options(self, options: Options, seen: Options | None) -> Fix[Options]:
        """What is asked for besides the words, as the conversation asks for it."""
        return _all(options, [(rule.options, (seen,)) for rule in self.by_place["options"] if rule.options])

    def marks(self, row: Row) -> Fix[Row]:
        """The cache markers of a request, where they belong."""
        return _all(row, [(rule.marks, ()) for rule in self.rules if rule.marks])

    def misplaced(self, row: Row) -> tuple[str, ...]:
        """The codes that say why markers, as they are, lose the cache; all rules are asked, on or off."""
        return tuple(rule.code for rule in self.known if rule.misplaced is not None and rule.misplaced(row))

    @property
    def keeps(self) -> dict[ChangeKind, str]:
        """The kinds of change in an old turn that are undone, each with the rule that says so."""
        return {kind: rule.code for rule in self.rules for kind in rule.keeps}

    def tools(self, tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
        """The tools as the conversation first saw them."""
        return _all(tools, [(rule.tools, (seen,)) for rule in self.rules if rule.tools])

    def message(self, message: Message) -> Fix[Message]:
        """One message as the model is meant to read it."""
        return _all(message, [(rule.message, ()) for rule in self.by_place["message"] if rule.message])

    def turn(self, turn: Turn, memory: Memory) -> Fix[Turn]:
        """A turn that is new to the conversation, as it goes upstream."""
        return _all(turn, [(rule.turn, (memory,)) for rule in self.by_place["turn"] if rule.turn])

    def causes(self, difference: Difference) -> tuple[str, ...]:
        """The codes whose cause explains a difference, the most specific first; all rules are asked, on or off."""
        if difference.where == "none":
            return ()
        return tuple(rule.code for rule in self.known if rule.names is not None and rule.names(difference))


def rule_book(level: Safety = Safety.MEANING, off: Iterable[str] = (), on: Iterable[str] = ()) -> RuleBook:
    """The rules up to a safety level, less those switched off, plus those switched on whatever their level.

    Raises ConfigError for a code that is not in the rule book.
    """
    without, plus = set(off), set(on)
    for code in without | plus:
        if code not in CODES:
            raise ConfigError(f"there is no rule {code}: `keepwarm rule` lists the codes")
    return RuleBook(
        tuple(
            rule
            for code, rule in CODES.items()
            if code not in without and (code in plus or (rule.on and rule.safety <= level))
        )
    )


def _all(value: V, steps: Iterable[tuple[Callable[..., Fix[V]], tuple[object, ...]]]) -> Fix[V]:
    """What all functions make of a value, one after another, each with what it is given besides."""
    edits: list[Edit] = []
    for function, given in steps:
        fix = function(value, *given)
        value = fix.value
        edits += fix.edits
    return Fix(value, tuple(edits))
