"""Architecture is a test: layers, purity, sizes, names, docstrings, and a test file for each module.

Two lists below may only shrink: an entry that is no longer needed fails until it is taken off.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "keepwarm"

# Layers that may be missing, with what brings them.
NOT_YET: dict[str, str] = {}

# Files (`path`) and functions (`path::name`) above the limits of tests/architecture.py.
TOO_LONG: frozenset[str] = frozenset()

# Modules of the package without a test file of their own, with the reason.
WITHOUT_MIRROR = {
    "errors.py": "names and messages only; each is raised in the tests of who raises it",
}


def read_all(folder: Path) -> dict[str, str]:
    """Source by path relative to `folder`."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in architecture.python_files(folder)
    }


def assert_none(faults: list[str]) -> None:
    """Fails with every fault on a line of its own."""
    assert not faults, "\n" + "\n".join(faults)


def judge_package(check: Callable[[str, str], list[str]]) -> None:
    """Fails with all that `check(path, source)` finds, each behind the file it was found in."""
    files = read_all(PACKAGE)
    assert_none([f"keepwarm/{path}: {fault}" for path, source in files.items() for fault in check(path, source)])


# The tree


def test_imports_run_downwards_only() -> None:
    # In a process of its own: import-linter sets logging up anew and with that switches every other logger off.
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_layer_exists() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    layers = {name.strip(" ()") for row in contract["layers"] for name in row.split("|")}
    missing = {name for name in layers if not (PACKAGE / name).is_dir() and not (PACKAGE / f"{name}.py").is_file()}
    assert missing == NOT_YET.keys()


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in architecture.python_files(PACKAGE)}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_decisions_touch_neither_clock_nor_world() -> None:
    def check(path: str, source: str) -> list[str]:
        return architecture.impure_imports(source) if architecture.is_pure(path) else []

    judge_package(check)


def test_files_and_functions_keep_to_their_budget() -> None:
    files: dict[str, str] = {}
    for folder in ("keepwarm", "tests", "bench"):
        files |= {f"{folder}/{path}": source for path, source in read_all(REPOSITORY / folder).items()}
    faults, wishes = architecture.over_budget(files, TOO_LONG)
    for wish in wishes:
        warnings.warn(wish, stacklevel=1)
    assert_none(faults)


def test_names_say_what_is_in_them() -> None:
    judge_package(architecture.poor_names)


def test_only_the_edge_catches_everything_and_says_who_learns_of_it() -> None:
    judge_package(architecture.broad_catches)


def test_everything_public_has_a_docstring() -> None:
    judge_package(lambda _, source: architecture.missing_docstrings(source))


def test_values_are_frozen() -> None:
    judge_package(lambda _, source: architecture.thawed_values(source))


def test_tests_mirror_the_package() -> None:
    tests = frozenset(read_all(REPOSITORY / "tests"))
    assert_none(architecture.without_mirror(read_all(PACKAGE), tests, frozenset(WITHOUT_MIRROR)))


# That each check can fail


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import asyncio.events",
        "from datetime import date",
        "def late():\n    import socket",
        "import json, uuid",
        "from urllib import request",
    ],
)
def test_an_impure_import_is_found(line: str) -> None:
    assert len(architecture.impure_imports(line)) == 1


def test_a_pure_import_is_not() -> None:
    assert architecture.impure_imports("import json\nfrom . import time\nfrom urllib.parse import quote") == []


@pytest.mark.parametrize(
    ("path", "pure"),
    [
        ("core/digest.py", True),
        ("core.py", True),
        ("ledger/verdict.py", True),
        ("ledger/store.py", False),
        ("rules/system/vol001.py", True),
        ("shell/app.py", False),
        ("coresident.py", False),
    ],
)
def test_what_has_promised_to_be_pure(path: str, pure: bool) -> None:
    assert architecture.is_pure(path) is pure


def test_a_long_function_and_a_long_file_are_found() -> None:
    body = "    pass\n" * architecture.FUNCTION_LINES
    source = f"class Life:\n  def short(self): ...\n  def long(self):\n{body}" + "\n" * architecture.FILE_LINES
    faults, _ = architecture.over_budget({"a.py": source}, frozenset())
    assert [fault.split(" has ")[0] for fault in faults] == ["a.py", "a.py::Life.long"]
    assert architecture.over_budget({"a.py": source}, frozenset({"a.py", "a.py::Life.long"})) == ([], [])


def test_an_entry_without_need_is_found() -> None:
    faults, _ = architecture.over_budget({"a.py": ""}, frozenset({"a.py"}))
    assert faults == ["a.py is no longer too long: take it off the list"]


def test_a_function_longer_than_wished_is_told() -> None:
    source = "def f():\n" + "    pass\n" * architecture.FUNCTION_LINES_WISHED
    assert architecture.over_budget({"a.py": source}, frozenset()) == ([], ["a.py::f has 51 lines, 50 are wished for"])


def test_poor_names_are_found() -> None:
    assert len(architecture.poor_names("rules/utils.py", "class BaseRule: ...\nclass _BaseRule: ...")) == 3
    assert architecture.poor_names("rules/api.py", "class Rule: ...") == []


@pytest.mark.parametrize(
    "handler", ["except Exception:", "except:", "except (OSError, Exception) as error:", "except BaseException:"]
)
def test_a_broad_catch_is_found(handler: str) -> None:
    source = f"try:\n    pass\n{handler}\n    pass\n"
    told = f"try:\n    pass\n{handler}  # the caller gets a 500\n    pass\n"
    only_silenced = f"try:\n    pass\n{handler}  # noqa: BLE001\n    pass\n"
    assert len(architecture.broad_catches("core/digest.py", told)) == 1
    assert len(architecture.broad_catches("shell/app.py", source)) == 1
    assert len(architecture.broad_catches("shell/app.py", only_silenced)) == 1
    assert architecture.broad_catches("shell/app.py", told) == []


def test_suppressing_everything_is_a_broad_catch() -> None:
    assert len(architecture.broad_catches("core/digest.py", "with contextlib.suppress(Exception): ...")) == 1
    assert architecture.broad_catches("core/digest.py", "with contextlib.suppress(KeyError): ...") == []


def test_missing_docstrings_are_found() -> None:
    source = "def told():\n    'Yes.'\ndef untold(): ...\ndef _own(): ...\nclass Untold: ...\n"
    assert architecture.missing_docstrings(source) == [
        "the module has no docstring",
        "line 3: untold has no docstring",
        "line 5: Untold has no docstring",
    ]
    assert architecture.missing_docstrings("") == []


def test_a_value_that_can_change_is_found() -> None:
    source = "class A(msgspec.Struct): ...\nclass B(Struct, frozen=True): ...\nclass C(Struct, frozen=False): ...\n"
    assert architecture.thawed_values(source) == ["line 1: A is not frozen", "line 3: C is not frozen"]


def test_a_module_without_tests_is_found() -> None:
    long, short = "\n" * architecture.MIRRORED_FROM_LINES, "\n"
    package = {"core/digest.py": long, "core/diff.py": long, "core/__init__.py": long, "core/tokens.py": short}
    tests = frozenset({"core/test_diff.py"})
    assert architecture.without_mirror(package, tests, frozenset()) == ["core/digest.py has no test file of its own"]
    assert architecture.without_mirror(package, tests, frozenset({"core/digest.py", "core/diff.py"})) == [
        "core/diff.py no longer needs to be listed"
    ]
