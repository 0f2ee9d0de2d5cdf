"""llama.cpp's own HTTP server as a child process: start it, ask for its URL and memory, stop it.

    with Engine(EngineOptions(model=Path("model.gguf"), slots=2)) as engine:
        requests to engine.url, for example engine.url + "/v1/chat/completions"

In a process of its own it can be stopped, be measured, and cannot hurt the gateway. No engine outlives `stop()`, the
end of the `with` block or the process that started it.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.engine.llama_process import EXIT_NOT_INSTALLED
from keepwarm.engine.options import EngineOptions, encode_options
from keepwarm.errors import EngineError, MissingExtra

__all__ = ["Engine", "EngineOptions", "find_demo_model"]

_TAIL_BYTES: Final = 2000
_STOP_SECONDS: Final = 5.0


class _Started(msgspec.Struct, frozen=True):
    url: str


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past whatever HTTP_PROXY says: a proxy does not know this machine's loopback address."""


class Engine:
    """One llama.cpp server. `start` and `stop` block: call them from a thread where an event loop runs."""

    def __init__(self, options: EngineOptions) -> None:
        """Nothing starts here. `options` are as EngineOptions tells."""
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._log_start = 0
        self._url = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://HOST:PORT`, no slash at the end. EngineError when it is not running."""
        self._running()
        return self._url

    @property
    def pid(self) -> int:
        """The child's process id. EngineError when it is not running."""
        return self._running().pid

    def start(self) -> Self:
        """Load the model and wait until the server's own /health says ok; returns itself.

        Raises EngineError (missing or unusable file, refused option, port taken, too slow) and MissingExtra.
        """
        if self._process is not None:
            raise EngineError("This engine has been started already: stop it first.")
        if not self.options.model.is_file():
            raise EngineError(f"There is no model file {self.options.model}: name a GGUF file that exists.")
        deadline = time.monotonic() + self.options.start_timeout
        with contextlib.ExitStack() as unless_ready:
            unless_ready.callback(self.stop)
            self._spawn()
            self._url = self._read_url(deadline).rstrip("/")
            self._wait_healthy(deadline)
            unless_ready.pop_all()
        return self

    def stop(self) -> None:
        """End the child and wait until it is gone; without effect when it is not running."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def memory_bytes(self) -> int:
        """The child's resident memory in bytes, KV and host cache included. EngineError, MissingExtra (psutil)."""
        try:
            import psutil
        except ImportError as error:
            raise MissingExtra("measuring the engine's memory", "keepwarm[engine]") from error
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.NoSuchProcess as error:
            raise EngineError(f"The engine has stopped by itself. {self._log_tail()}") from error

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EngineError("The engine is not running: start() it first.")
        if self._process.poll() is not None:
            raise EngineError(f"The engine has stopped by itself. {self._log_tail()}")
        return self._process

    def _spawn(self) -> None:
        if self.options.log_file is not None:
            self.options.log_file.parent.mkdir(parents=True, exist_ok=True)
            self._log = self.options.log_file.open("a+b")
        else:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open for as long as the child lives)
        self._log_start = self._log.seek(0, os.SEEK_END)
        # A session of its own: Ctrl-C at the terminal is for the gateway, which drains first and stops the engine last.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "keepwarm.engine.llama_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode_options(self.options) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # The child is gone already: _read_url says so, with its last words.
            pass

    def _read_url(self, deadline: float) -> str:
        """The child's one line on standard output, or the reason why there is none."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise EngineError(
                    f"The engine was not ready after {self.options.start_timeout:.0f} s with {self.options.model}: "
                    f"give it longer (start_timeout) or a smaller model. {self._log_tail()}"
                )
            piece = os.read(self._process.stdout.fileno(), 4096)
            if not piece:
                raise self._failure(self._process.wait())
            line += piece
        return msgspec.json.decode(line, type=_Started).url

    def _failure(self, status: int) -> EngineError | MissingExtra:
        if status == EXIT_NOT_INSTALLED:
            return MissingExtra("the embedded engine", "keepwarm[engine]")
        return EngineError(
            f"llama.cpp could not start with {self.options.model} (exit status {status}): check that it is a complete "
            "GGUF file of a model this version knows, that there is memory for its context "
            f"({self.options.context or 'in full'}), and that port {self.options.port or '(any)'} is free. "
            f"{self._log_tail()}"
        )

    def _wait_healthy(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                with _DIRECT.open(self.url + "/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except urllib.error.HTTPError as error:
                # 503 is llama.cpp's "Loading model": there is no event to wait for but asking again.
                if error.code != 503:
                    raise EngineError(f"The engine answers /health with {error.code}. {self._log_tail()}") from error
            except OSError:
                self._running()
            time.sleep(0.05)
        raise EngineError(
            f"The engine did not become healthy in {self.options.start_timeout:.0f} s. {self._log_tail()}"
        )

    def _log_tail(self) -> str:
        """What the child said last, as part of an error's text."""
        if self._log is None:
            return ""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log_start, end - _TAIL_BYTES))
        tail = self._log.read().decode("utf-8", "replace").strip()
        self._log.seek(0, os.SEEK_END)
        return f"Its last words:\n{tail}" if tail else "It said nothing."
