"""Start what is measured, each server in a process of its own, and tell how much processor time it takes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from bench.replies import Speech

_ROOT: Final = Path(__file__).resolve().parents[1]
_START_SECONDS: Final = 60.0
_PATIENCE: Final = 0.05


class Server:
    """A server process that listens on this machine."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.port = port
        self._process = psutil.Process(process.pid)

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT"""
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """Processor time so far, all threads."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Bytes of memory that it holds now."""
        return int(self._process.memory_info().rss)


@contextlib.contextmanager
def stub(speech: Speech) -> Iterator[Server]:
    """The stub model server."""
    with _announced("stub", "bench.stub", "--speech", speech) as server:
        yield server


@contextlib.contextmanager
def relay(upstream: str) -> Iterator[Server]:
    """The bare relay in front of `upstream`."""
    with _announced("relay", "bench.relay", upstream) as server:
        yield server


@contextlib.contextmanager
def keepwarm(upstream: str, folder: Path) -> Iterator[Server]:
    """keepwarm in front of `upstream` as a person starts it, with all rules on; `ledger_of(folder)` is its ledger."""
    port = free_port()
    arguments = ["keepwarm.cli", "serve", "--upstream", upstream, "--port", str(port)]
    with _running(*arguments, "--ledger", str(ledger_of(folder)), output=folder / "keepwarm.log") as process:
        server = Server("keepwarm", port, process)
        _await_health(server, process)
        yield server


def ledger_of(folder: Path) -> Path:
    """Where the keepwarm that was started with `folder` keeps its ledger."""
    return folder / "ledger.sqlite"


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _announced(name: str, module: str, *arguments: str) -> Iterator[Server]:
    """A server that prints its port as its first line."""
    with _running(module, *arguments) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} did not start")
        yield Server(name, int(line), process)


@contextlib.contextmanager
def _running(module: str, *arguments: str, output: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    with contextlib.ExitStack() as stack:
        out = subprocess.PIPE if output is None else stack.enter_context(output.open("w"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=_ROOT, stdout=out, text=True, env=_calm()
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _calm() -> dict[str, str]:
    """The environment without what configures keepwarm."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KEEPWARM_")}


def _await_health(server: Server, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_PATIENCE)  # another process's start: there is no event to wait for
    raise RuntimeError(f"{server.name} did not start")
