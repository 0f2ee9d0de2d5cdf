"""A log file that grows, is rotated, is cut, or is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keepwarm.checks.trial import ARMS
from keepwarm.errors import ConfigError
from keepwarm.testing.server_log import ServerLog

PROMPT = "prompt: x-anthropic-billing-header: cch=1; Session aaa.\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log that has said something already."""
    path = tmp_path / "server.log"
    path.write_text(PROMPT * 3)
    return path


def counted(log: ServerLog) -> int:
    """Header lines of the first arm."""
    return log.story().arms[0].header_lines


def test_only_what_is_new_is_read(path: Path) -> None:
    with ServerLog(path, "the log", "vLLM") as log:
        log.begin(ARMS[0], "aaa")
        assert counted(log) == 0
        with path.open("a") as more:
            more.write(PROMPT[:20])
            more.flush()
            log.read()
            more.write(PROMPT[20:])
        assert counted(log) == 1
        assert log.story().of == "the log"


def test_a_rotated_log_is_read_to_its_end_and_the_new_one_from_its_beginning(path: Path) -> None:
    with ServerLog(path, "log", "vLLM") as log:
        log.begin(ARMS[0], "aaa")
        with path.open("a") as more:
            more.write(PROMPT)
        path.rename(path.with_suffix(".1"))
        log.read()  # the moment between the two
        path.write_text(PROMPT * 2)
        assert counted(log) == 3


def test_a_log_that_was_cut_is_read_from_its_beginning(path: Path) -> None:
    with ServerLog(path, "log", "vLLM") as log:
        log.begin(ARMS[0], "aaa")
        os.truncate(path, 0)
        with path.open("a") as more:
            more.write(PROMPT)
        assert counted(log) == 1


def test_bytes_that_are_no_text_do_no_harm(path: Path) -> None:
    with ServerLog(path, "log", "vLLM") as log:
        log.begin(ARMS[0], "aaa")
        with path.open("ab") as more:
            more.write(b"\xff\x00\n" + PROMPT.encode())
        assert counted(log) == 1


def test_no_file_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file that the server's log goes to"), ServerLog(tmp_path / "n", "", ""):
        pass
    with pytest.raises(ConfigError, match="is no file"), ServerLog(tmp_path, "", ""):
        pass
