"""Rules of other people: found by entry point, held to the form of ours, and kept from breaking a request.

A package that has a rule says so in one line of its pyproject.toml:

    [project.entry-points."keepwarm.rules"]
    ACM001 = "acme_rules.acm001:RULE"

The file behind it looks like any of `keepwarm/rules/`: a page as the docstring, functions, and a `Rule`. It is switched
in keepwarm.toml by its code, as ours are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from keepwarm.core.prompt import Edit
from keepwarm.errors import ConfigError
from keepwarm.rules.api import PLACES, Fix, HeadFix, Rule, Safety
from keepwarm.rules.codes import CODES

log = logging.getLogger("keepwarm")
GROUP: Final = "keepwarm.rules"
_CODE: Final = re.compile(r"[A-Z]{3}\d{3}")
_OURS: Final = frozenset({code[:3] for code in CODES} | {"VOL", "ROL", "HIS", "ORD", "KEY", "MRK", "SEA", "SRV"})


class Extension(msgspec.Struct, frozen=True):
    """A rule of somebody else."""

    rule: Rule
    """Guarded: its functions never raise."""
    source: str
    """The distribution that brought it, with its version: "acme-rules 1.2"."""


class Refusal(msgspec.Struct, frozen=True):
    """An entry point that gave no rule."""

    entry: str
    """Its name and what it points at: "ACM001 = acme_rules:RULE"."""
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: the rule {self.entry} is left out: {self.reason}"


class Extensions(msgspec.Struct, frozen=True):
    """All that was found."""

    rules: tuple[Extension, ...] = ()
    refused: tuple[Refusal, ...] = ()


def load_extensions(found: Iterable[EntryPoint] | None = None) -> Extensions:
    """The rules that installed packages bring.

    One that cannot be loaded or has not the form of a rule is refused, with the reason. Raises ConfigError when two
    rules have one code: nobody could say which of them a setting means.
    """
    rules: dict[str, Extension] = {}
    refused: list[Refusal] = []
    for entry in sorted(entry_points(group=GROUP) if found is None else found, key=lambda entry: entry.name):
        source = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"
        rule = _load(entry)
        if isinstance(rule, str):
            refused.append(Refusal(f"{entry.name} = {entry.value}", source, rule))
            continue
        if (other := "keepwarm" if rule.code in CODES else getattr(rules.get(rule.code), "source", "")) != "":
            raise ConfigError(
                f"{source} and {other} both have a rule {rule.code}: uninstall one, or ask its author for another code"
            )
        rules[rule.code] = Extension(guard(rule), source)
    return Extensions(tuple(rules.values()), tuple(refused))


def _load(entry: EntryPoint) -> Rule | str:
    """The rule behind an entry point, or what is wrong with it."""
    try:
        loaded = entry.load()
    except Exception as error:  # whoever starts keepwarm or lists the rules learns of it: the reason is shown there
        return f"it cannot be loaded ({type(error).__name__}: {error})"
    rule = getattr(loaded, "RULE", loaded)
    if not isinstance(rule, Rule):
        return f"it is a {type(rule).__name__}, no keepwarm.rules.api.Rule and no module with one named RULE"
    return _fault(rule) or rule


def _fault(rule: Any) -> str:
    """Why a Rule that may hold anything is none; "" when it is one."""
    if not isinstance(rule.code, str) or not _CODE.fullmatch(rule.code):
        return f"its code {rule.code!r} is not three capital letters and three digits"
    if rule.code[:3] in _OURS and rule.code not in CODES:
        return f"its code {rule.code} is of a family of keepwarm's own ({', '.join(sorted(_OURS))}): choose another"
    if not isinstance(rule.safety, Safety):
        return f"its safety {rule.safety!r} is no keepwarm.rules.api.Safety"
    if not isinstance(rule.page, str) or not rule.page.strip():
        return "it has no page: say in its docstring what it does, why, and when that is wrong"
    wrong = [place for place in (*PLACES, "names", "misplaced") if not callable(getattr(rule, place) or print)]
    return f"its {wrong[0]} is no function" if wrong else ""


def guard(rule: Rule) -> Rule:
    """`rule` with functions that never raise: where one fails, or gives back what it must not, nothing is changed."""
    guarded: dict[str, Any] = {
        place: _guarded(rule.code, place, function) for place in PLACES if (function := getattr(rule, place))
    }
    for question in ("names", "misplaced"):
        if (asked := getattr(rule, question)) is not None:
            guarded[question] = _guarded_question(rule.code, asked)
    return replace(rule, **guarded)


def _guarded(code: str, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    failures = 0

    def run(value: Any, *rest: Any) -> Any:
        nonlocal failures
        try:
            return _checked(function(value, *rest), value, code, place)
        except Exception:  # the log learns of it, the first time with all of it: the request goes on without the rule
            failures += 1
            if failures == 1:
                log.exception("the rule %s failed in its %s function and changed nothing", code, place)
            else:
                log.debug("the rule %s failed in its %s function for the %d. time", code, place, failures)
            return HeadFix(value) if place == "head" else Fix(value)

    return run


def _checked(fix: Any, value: Any, code: str, place: str) -> Any:
    """`fix`, when it is what a rule may give back for `value`. Raises TypeError."""
    wanted = HeadFix if place == "head" else Fix
    if not isinstance(fix, wanted):
        raise TypeError(f"a {place} function gives back a {wanted.__name__}, not a {type(fix).__name__}")
    given: Any = fix.head if isinstance(fix, HeadFix) else fix.value
    if not (type(given) is type(value) or (place == "system" and given is None)):
        raise TypeError(f"a {place} function gives back a {type(value).__name__}, not a {type(given).__name__}")
    if isinstance(value, tuple) and {type(part) for part in given} - {type(part) for part in value}:
        raise TypeError(f"a {place} function gives back the same kind of things that it got")
    for edit in fix.edits:
        if type(edit) is not Edit or edit.code != code:
            raise TypeError(f"the edits of {code} are Edit values with its code, not {edit!r}")
    return fix


def _guarded_question(code: str, question: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def run(value: Any) -> bool:
        try:
            return bool(question(value))
        except Exception:  # the log learns of it: the cause is then looked for without this rule
            log.exception("the rule %s failed when it was asked for a cause", code)
            return False

    return run
