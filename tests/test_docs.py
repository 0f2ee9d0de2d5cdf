"""The documents do not lag: what README tells a reader to type exists, and the changelog knows this version.

`keepwarm.cli` holds the typer application as `app`.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from keepwarm.config import DEFAULT_PORT, Config, load
from keepwarm.rules.codes import CODES
from keepwarm.views.site import documents
from tests import readme

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def page() -> str:
    return (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """The targets of the Makefile that are meant for people, as its own list prints them."""
    printed = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  make ([a-z-]+)", printed, re.MULTILINE))


@pytest.fixture(scope="module")
def commands() -> dict[str, set[str]]:
    """The long options by command of `keepwarm`; those of `keepwarm` itself under ""."""
    from keepwarm.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {name: long_options(command) for name, command in {"": group, **group.commands}.items()}


def long_options(command: Any) -> set[str]:
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {option for option in options if option.startswith("--")} | {"--help"}


# README


def test_every_make_line_of_the_readme_names_a_target(page: str, targets: set[str]) -> None:
    named = {
        target for line in readme.command_lines(page) if line.startswith("make") for target in readme.make_targets(line)
    }
    assert {"demo", "test"} <= named, "README shows how to see it and how to test it"
    assert named - targets == set()


def test_every_keepwarm_line_of_the_readme_can_be_typed(page: str, commands: dict[str, set[str]]) -> None:
    named = [readme.keepwarm_command(line) for line in readme.command_lines(page) if line.startswith("keepwarm ")]
    assert named, "README names no command"
    assert {command for command, _ in named} - commands.keys() == set()
    unknown = [f"keepwarm {command} {option}" for command, used in named for option in set(used) - commands[command]]
    assert unknown == []


def test_the_readme_names_every_command(page: str, commands: dict[str, set[str]]) -> None:
    named = {readme.keepwarm_command(line)[0] for line in readme.command_lines(page) if line.startswith("keepwarm")}
    assert commands.keys() - named - {""} == set()


def test_the_settings_of_the_readme_are_the_settings_there_are(page: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    path = tmp_path / "keepwarm.toml"
    path.write_text(block, encoding="utf-8")
    settings = load(path)
    said = tomllib.loads(block)
    for part in ("upstream", "rules", "ledger"):
        fields = set(getattr(settings, part).__struct_fields__)
        assert said[part].keys() <= fields
    assert settings.port == DEFAULT_PORT
    assert settings.host == Config().host


def test_the_readme_lists_every_rule_that_mends(page: str) -> None:
    rows = dict(re.findall(r"^\| ([A-Z]{3}\d{3}) \|.*\| (\w+) \|$", page, re.MULTILINE))
    mending = {code: rule.safety.name.lower() for code, rule in CODES.items() if rule.mends}
    assert rows == mending


# docs/


def test_the_documents_that_are_made_from_code_are_those_the_code_makes() -> None:
    """`make docs` writes them."""
    wanted = documents(CODES.values(), Config)
    folder = REPOSITORY / "docs"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    # Pictures are made by the tests of what they show.
    assert {path for path in there if not path.startswith("screenshots/")} == wanted.keys()
    for path, text in wanted.items():
        assert (folder / path).read_text(encoding="utf-8") == text, f"docs/{path} lags: make docs"


def test_the_readme_leads_to_the_documents(page: str) -> None:
    assert {"docs/rules/index.md", "docs/configuration.md"} <= set(re.findall(r"\]\((docs/[^)]+)\)", page))


# The changelog, the Makefile


def test_the_changelog_starts_with_this_version() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == settings["project"]["version"]


def test_make_alone_prints_every_target(targets: set[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets == set(phony.split())


# How a page is read

SAMPLE = """
Type `make demo KEEP=1`, or `keepwarm log [--follow]`; keepwarm itself is no command here, nor is `keepwarm.toml`.

```sh
$ make setup test  # both
ANTHROPIC_BASE_URL=http://localhost:8787 claude
.venv/bin/keepwarm serve --upstream http://localhost:8080 \\
    --port=8787
keepwarm --version && make clean
```
"""


def test_what_a_page_tells_one_to_type() -> None:
    assert list(readme.command_lines(SAMPLE)) == [
        "make setup test  # both",
        "keepwarm serve --upstream http://localhost:8080      --port=8787",
        "keepwarm --version && make clean",
        "make demo KEEP=1",
        "keepwarm log [--follow]",
    ]


@pytest.mark.parametrize(
    ("line", "named"),
    [("make setup test  # both", ["setup", "test"]), ("make demo KEEP=1", ["demo"]), ("make -n", [])],
)
def test_targets_of_a_make_line(line: str, named: list[str]) -> None:
    assert readme.make_targets(line) == named


@pytest.mark.parametrize(
    ("line", "command", "options"),
    [
        ("keepwarm serve --upstream http://localhost:8080 --port=8787", "serve", ["--upstream", "--port"]),
        ("keepwarm log [--follow]", "log", ["--follow"]),
        ("keepwarm --version && make --always-make", "", ["--version"]),
        ("keepwarm", "", []),
    ],
)
def test_command_and_options_of_a_keepwarm_line(line: str, command: str, options: list[str]) -> None:
    assert readme.keepwarm_command(line) == (command, options)
