"""The C library takes the settings where it is glibc, and is left alone where it is not."""

from __future__ import annotations

import platform
import sys

import pytest

from keepwarm.shell.memory import keep_freed_memory


def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)
    assert keep_freed_memory() is False
