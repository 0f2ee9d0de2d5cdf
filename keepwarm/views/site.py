"""The documents that are made from code: a page for each rule, the settings, and a schema of them for editors.

`make docs` writes them below docs/, and tests/test_docs.py fails when they lag. What is said of a setting stands under
its field in the source, where whoever changes it sees it; nothing keeps such sentences at run time, so they are read
out of the source here.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin

import msgspec

from keepwarm.logs.registry import FORMATS
from keepwarm.rules.api import Rule
from keepwarm.views.rule import markdown

FAMILIES: Final = {
    "VOL": "Volatile text",
    "ROL": "Roles",
    "HIS": "History",
    "ORD": "Order",
    "KEY": "Request parameters",
    "MRK": "Cache markers",
    "SEA": "Seats: slots and replicas",
    "SRV": "The server",
}
"""What the first letters of a code say."""
_MADE: Final = "<!-- Made from the code by `make docs`: change {source} and run it again. -->\n\n"
_NAME: Final = "NAME"


def documents(rules: Iterable[Rule], settings: type[msgspec.Struct]) -> dict[str, str]:
    """All documents by their path below docs/.

    rules     in the order of the rule book
    settings  the type that keepwarm.toml is read into
    """
    row = list(rules)
    pages = {f"rules/{rule.code}.md": _page(rule) for rule in row}
    return {
        "index.md": _MADE.format(source="keepwarm/views/site.py") + _HOME,
        "rules/index.md": _index(row),
        **pages,
        "configuration.md": _configuration(settings),
        "keepwarm.schema.json": schema(settings),
        "logs.md": _logs(),
    }


def schema(settings: type[msgspec.Struct]) -> str:
    """The JSON schema of the settings, with a sentence for each."""
    made = msgspec.json.schema(settings)
    kinds = {kind.__name__: kind for kind in _tables(settings)}
    for name, definition in made["$defs"].items():
        told = sentences(kinds[name])
        definition["description"] = _line(inspect.getdoc(kinds[name]) or "")
        for field, value in definition["properties"].items():
            value["description"] = told[field].replace("`", "")
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "keepwarm.toml", **made}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


@cache
def sentences(settings: type[msgspec.Struct]) -> Mapping[str, str]:
    """What stands under each field of a struct in its source, on one line; "" for a field without a word."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(body, ast.ClassDef)
    told: dict[str, str] = {}
    field = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
            told[field] = ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and field:
            told[field] = _line(str(node.value.value))
    return told


def _page(rule: Rule) -> str:
    return _MADE.format(source=f"keepwarm/rules/{rule.code.lower()}.py") + markdown(rule)


def _index(rules: Iterable[Rule]) -> str:
    parts = [
        _MADE.format(source="keepwarm/rules/"),
        "# The rule book\n\n",
        "What costs the cache, and what is done about it. `keepwarm rule` lists the rules as they are configured, ",
        "`keepwarm rule CODE` prints a page. How they are switched: [configuration](../configuration.md).\n",
    ]
    family = ""
    for rule in sorted(rules, key=lambda rule: list(FAMILIES).index(rule.code[:3])):
        if rule.code[:3] != family:
            family = rule.code[:3]
            parts.append(f"\n## {FAMILIES[family]}\n\n| rule | what it is about | safety | |\n|---|---|---|---|\n")
        does = "mends" if rule.mends and rule.on else "mends when switched on" if rule.mends else "names"
        name, safety = rule.name.replace("-", " "), rule.safety.name.lower()
        parts.append(f"| [{rule.code}]({rule.code}.md) | {name} | {safety} | {does} |\n")
    return "".join(parts) + _A_RULE_OF_YOUR_OWN


def _configuration(settings: type[msgspec.Struct]) -> str:
    parts = [_MADE.format(source="keepwarm/config.py"), _CONFIGURATION]
    for heading, kind, words in _headings(settings):
        told = sentences(kind)
        first = _first(kind, settings)
        parts.append(f"\n## {heading}\n\n")
        if heading != first:
            parts.append(f"{words} The settings are those of `{first}`.\n")
            continue
        parts.append(_line(inspect.getdoc(kind) or "") + "\n")
        parts.append("\n| setting | what may stand there | by itself | |\n|---|---|---|---|\n")
        parts += [
            f"| `{field.name}` | {_kind(field.type)} | {_default(field)} | {told[field.name]} |\n"
            for field in msgspec.structs.fields(kind)
            if not _is_table(field.type)
        ]
    return "".join(parts)


def _logs() -> str:
    """Which logs `keepwarm report --log` reads: of each format, what its module says of it."""
    parts = [_MADE.format(source="keepwarm/logs/"), _LOGS]
    for form in FORMATS:
        told = inspect.getdoc(sys.modules[type(form).__module__]) or ""
        parts.append(f"\n## {form.name}\n\n{told}\n")
    return "".join(parts)


def _first(kind: type[msgspec.Struct], settings: type[msgspec.Struct]) -> str:
    """The heading under which the settings of a struct are listed: its shortest."""
    return min((heading for heading, other, _ in _headings(settings) if other is kind), key=len)


def _headings(
    settings: type[msgspec.Struct], path: str = "", words: str = ""
) -> Iterator[tuple[str, type[msgspec.Struct], str]]:
    """Every table of the file: its heading as TOML writes it, the struct that it is read into, and its sentence."""
    yield f"[{path}]" if path else "At the top", settings, words
    for field in msgspec.structs.fields(settings):
        for kind in _structs(field.type):
            name = f"{field.name}.{_NAME}" if get_origin(field.type) is dict else field.name
            yield from _headings(kind, f"{path}.{name}".lstrip("."), sentences(settings)[field.name])


def _tables(settings: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    return list(dict.fromkeys(kind for _, kind, _ in _headings(settings)))


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in get_args(kind):
        yield from _structs(part)


def _is_table(kind: Any) -> bool:
    return any(True for _ in _structs(kind))


def _kind(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind) if word)
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_kind(part) for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return f"a list of {_kind(get_args(kind)[0])}s"
    return {str: "text", bool: "`true` or `false`", int: "number", float: "number"}[kind]


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else None
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value!r}`" if value != "" else "empty"


def _line(text: str) -> str:
    """A docstring on one line."""
    return " ".join(text.split()).strip()


_HOME: Final = """# keepwarm

Keeps the prefix cache of a language-model server warm for coding agents: what was sent once stands, so each token of
a conversation is processed once. How to begin is in the README.

- [The rule book](rules/index.md): what costs the cache, and what is done about it.
- [Configuration](configuration.md): every setting of `keepwarm.toml`.
- [Logs](logs.md): which logs of others `keepwarm report --log` reads.
"""
_LOGS: Final = """# Logs

`keepwarm report --log FILE` makes its report of requests that did not pass through keepwarm. Each of them is played
through the rules and verdicts of the gateway, which only look on; nothing is sent anywhere. `--log` may be repeated,
and the requests are put in the order of their times. Other paths than `/v1/messages` and `/v1/chat/completions` (with
anything in front) are left out and counted. A request whose answer is not in the log is in no hit rate.

Headers are read to know the client and the session, and are not kept; words of prompts stand in a report only with
`--with-text`. `--ledger NEW.sqlite` keeps what is made of the log, for `keepwarm explain ID --ledger NEW.sqlite`.

A file is JSON Lines, or one JSON document: a HAR, or a list. What each line or element is, is told by its members:
"""
_A_RULE_OF_YOUR_OWN: Final = """
## A rule of your own

One file that looks like those in `keepwarm/rules/` (a page as its docstring, pure functions, `RULE = Rule(...)`), in
any package, and one line in that package's `pyproject.toml`:

```toml
[project.entry-points."keepwarm.rules"]
ACM001 = "acme_rules.acm001:RULE"
```

Its code is three capital letters that are not one of the families above, and three digits. Once the package is
installed beside keepwarm, `keepwarm rule` lists it with the package's name and it is switched by its code. A rule that
cannot be loaded is left out and named; one that raises changes nothing, and the log tells of it.
"""
_CONFIGURATION: Final = """# Configuration

`keepwarm.toml` in the folder where keepwarm is started, or `--config FILE`; the command line wins. An editor that
knows JSON schemas helps with it when its first line is `#:schema keepwarm.schema.json`
([the schema](keepwarm.schema.json)).

```toml
[upstream]
url = "http://127.0.0.1:8080"

[rules]                          # for everybody
off = ["VOL002"]

[upstream.rules]                 # towards this server
level = "order"

[clients.qwen-code]              # for one program, whatever its version
on = ["VOL002"]

[clients."claude-cli/2.1.39*"]   # for some versions of one
hold_tools = true
```
"""
