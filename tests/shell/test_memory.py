"""What the C library and Python are told, and that other systems are left alone."""

from __future__ import annotations

import gc
import platform
import sys

import pytest

from keepwarm.shell.memory import YOUNG_OBJECTS, collect_rarely, keep_freed_memory


def test_glibc_takes_the_settings() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", None)
    assert keep_freed_memory() is False


def test_cycles_are_still_found_but_not_looked_for_all_the_time() -> None:
    threshold = gc.get_threshold()
    try:
        collect_rarely()
        assert gc.isenabled()
        assert gc.get_threshold()[0] == YOUNG_OBJECTS
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)
