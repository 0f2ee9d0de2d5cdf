"""The house's rules as functions: source text in, sentences about faults out.

They read the syntax tree and import nothing of the package, so that a file which does not even import is judged
too. `test_architecture.py` runs them over the tree and, on small samples, shows that each of them can fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

FILE_LINES = 400
FILE_LINES_WISHED = 350
FUNCTION_LINES = 60
FUNCTION_LINES_WISHED = 50
MIRRORED_FROM_LINES = 50

# Values come in, values go out: a decision that needs the time or an id is handed it.
PURE = (
    "codec",
    "core",
    "wire",
    "rules",
    "session",
    "upstream",
    "exchange",
    "checks",
    "logs",
    "ledger/records.py",
    "ledger/server_side.py",
    "ledger/verdict.py",
)
IMPURE_IMPORTS = frozenset(
    [
        "aiohttp",
        "asyncio",
        "concurrent",
        "datetime",
        "logging",
        "multiprocessing",
        "random",
        "secrets",
        "selectors",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "urllib.request",
        "uuid",
        "uvloop",
        "zoneinfo",
    ]
)
# Where an error of unknown kind may be caught at all: the edge that has somebody to tell.
MAY_CATCH_ALL = ("shell", "testing")
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})


def python_files(folder: Path) -> Iterator[Path]:
    """Every Python file below `folder`, in a stable order."""
    return (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def is_pure(path: str) -> bool:
    """Whether the module at `path` (relative to the package) has promised to touch neither clock nor world."""
    return any(path == place or path.startswith(f"{place}/") or path == f"{place}.py" for place in PURE)


def impure_imports(source: str) -> list[str]:
    """The imports, direct ones only, that a pure module must not have."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        named = [name for name in names if name in IMPURE_IMPORTS or name.split(".")[0] in IMPURE_IMPORTS]
        if named:
            faults.append(f"line {node.lineno} imports {named[0]}")
    return faults


def sizes(source: str) -> Iterator[tuple[str, int, int, int]]:
    """(what, lines, wished for, allowed) of the file and of each of its functions; a name is dotted by its nesting."""
    yield "", len(source.splitlines()), FILE_LINES_WISHED, FILE_LINES

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, int, int, int]]:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}" if within else child.name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (child.end_lineno or child.lineno) - child.lineno + 1
                yield inner, lines, FUNCTION_LINES_WISHED, FUNCTION_LINES
            yield from walk(child, inner)

    yield from walk(ast.parse(source), "")


def over_budget(files: Mapping[str, str], listed: frozenset[str]) -> tuple[list[str], list[str]]:
    """(faults, wishes) for files by path: a fault is above the limit and not listed, or listed without need.

    An entry of `listed` is a path, or `path::function`.
    """
    faults, wishes, above = [], [], set()
    for path, source in files.items():
        for what, lines, wished, allowed in sizes(source):
            name = f"{path}::{what}" if what else path
            if lines > allowed:
                above.add(name)
                if name not in listed:
                    faults.append(f"{name} has {lines} lines, {allowed} are allowed")
            elif lines > wished:
                wishes.append(f"{name} has {lines} lines, {wished} are wished for")
    faults += [f"{name} is no longer too long: take it off the list" for name in sorted(listed - above)]
    return faults, wishes


def poor_names(path: str, source: str) -> list[str]:
    """Modules and classes whose names say nothing: utils, helpers, common, manager, Base*."""
    parts = Path(path).with_suffix("").parts
    faults = [f"{part} says nothing about what is in it" for part in parts if part in NAMES_THAT_SAY_NOTHING]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name.lstrip("_").startswith("Base"):
            faults.append(f"line {node.lineno}: class {node.name} is named for its place in a tree, not for what it is")
    return faults


def broad_catches(path: str, source: str) -> list[str]:
    """Handlers of any exception outside the edge, or on the edge without a comment on who learns of it.

    The comment stands on the handler's line or on the one before it.
    """
    lines = source.splitlines()
    allowed = path.split("/")[0].removesuffix(".py") in MAY_CATCH_ALL
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or _names_any_exception(node.type)
        elif isinstance(node, ast.Call):
            broad = _last_name(node.func) == "suppress" and any(_names_any_exception(arg) for arg in node.args)
        else:
            continue
        if not broad:
            continue
        around = lines[max(node.lineno - 2, 0) : node.lineno]
        if not allowed:
            faults.append(f"line {node.lineno} catches any exception outside {' and '.join(MAY_CATCH_ALL)}")
        elif not any("#" in line and not line.split("#", 1)[1].strip().startswith("noqa") for line in around):
            faults.append(f"line {node.lineno} catches any exception and does not say who learns of it")
    return faults


def _names_any_exception(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(_last_name(kind) in ("Exception", "BaseException") for kind in kinds)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def missing_docstrings(source: str) -> list[str]:
    """The module itself, unless it is empty, and its public functions and classes that have no docstring."""
    tree = ast.parse(source)
    faults = [] if not tree.body or ast.get_docstring(tree) else ["the module has no docstring"]
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and not any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
        ):
            faults.append(f"line {node.lineno}: {node.name} has no docstring")
    return faults


def thawed_values(source: str) -> list[str]:
    """Direct subclasses of msgspec.Struct that are not frozen."""
    return [
        f"line {node.lineno}: {node.name} is not frozen"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        and any(_last_name(parent) == "Struct" for parent in node.bases)
        and not any(
            word.arg == "frozen" and isinstance(word.value, ast.Constant) and word.value.value is True
            for word in node.keywords
        )
    ]


def without_mirror(package: Mapping[str, str], tests: frozenset[str], listed: frozenset[str]) -> list[str]:
    """Modules of the package, source by path, that have no test file in the same place under tests/.

    x/y.py of at least MIRRORED_FROM_LINES lines wants x/test_y.py; an entry of `listed` need not have one.
    """
    wanting = set()
    for path, source in package.items():
        place = Path(path)
        long_enough = len(source.splitlines()) >= MIRRORED_FROM_LINES
        mirror = (place.parent / f"test_{place.name}").as_posix()
        if long_enough and place.name != "__init__.py" and mirror not in tests:
            wanting.add(path)
    faults = [f"{path} has no test file of its own" for path in sorted(wanting - listed)]
    return faults + [f"{path} no longer needs to be listed" for path in sorted(listed - wanting)]
