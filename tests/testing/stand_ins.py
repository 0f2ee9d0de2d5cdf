"""Small scripts that stand in for coding agents, put where `make clients` would put the agent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

StandIn = Callable[[str, str, str], Path]
"""(installation, program, script): the executable that was written."""

WRITE_DOWN = """#!/bin/bash
env -0 > "$HOME/environment"
printf '%s\\0' "$@" > "$HOME/arguments"
"""
"""The opening of a script that leaves in its home what it was started with."""


def put(folder: Path, installation: str, program: str, script: str) -> Path:
    """Write a script where the agent would be below `folder`; without a first line of its own it is this Python's."""
    executable = folder / installation / "node_modules" / ".bin" / program
    executable.parent.mkdir(parents=True)
    executable.write_text(script if script.startswith("#!") else f"#!{sys.executable}\n{script}")
    executable.chmod(0o755)
    return executable


def environment(home: Path) -> dict[str, str]:
    """The environment that a script with WRITE_DOWN was started with, without what its shell added."""
    entries = (home / "environment").read_text().split("\0")
    seen = dict(entry.split("=", 1) for entry in entries if entry)
    return {name: value for name, value in seen.items() if name not in {"_", "PWD", "OLDPWD", "SHLVL"}}


def arguments(home: Path) -> list[str]:
    """And its arguments."""
    return (home / "arguments").read_text().split("\0")[:-1]
