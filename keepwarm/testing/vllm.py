"""vLLM on the CPU as a child process, from its own environment (`vllm_install`): start it, ask for its URL, stop it.

    with Vllm(VllmOptions(environment=Path(".vllm"), model=vllm_model())) as vllm:
        requests to vllm.url, for example vllm.url + "/v1/messages"

The model is a tiny random one: its words are noise, its prefix cache and its counts are vLLM's own. It takes a minute
and 3 GB of memory to start, so start one and share it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from keepwarm.errors import EngineError, MissingExtra
from keepwarm.testing import vllm_process
from keepwarm.testing.vllm_install import STAMP, python_of

NAME: Final = "tiny"
"""The model's name in requests."""
_TAIL_BYTES: Final = 3000
_STOP_SECONDS: Final = 20.0


class VllmOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What vLLM is started with."""

    environment: Path
    """The virtual environment that `vllm_install` has made."""
    model: Path
    """A folder with a model: `vllm_model()`."""
    context: int = 65_536
    """Tokens that one conversation can hold."""
    chat_template: Path | None = None
    """A Jinja file in place of the model's own template, which is `qwen_like`."""
    block: int = 32
    """Tokens that are cached together; on the CPU a multiple of 32, and 128 when nothing is said."""
    cache_mib: int = 256
    """Memory of the prefix cache: 2 million tokens of the tiny model in a GiB."""
    prefix_caching: bool = True
    """Whether it keeps anything."""
    report_reuse: bool = True
    """Whether it says how many tokens it reused (`--enable-prompt-tokens-details`)."""
    scale_out: bool = True
    """Whether `/v1/chat/completions/render` and `/v1/messages/render` answer (`--enable-scale-out`)."""
    port: int = 0
    """0 = a free one, see `Vllm.url`."""
    log_file: Path | None = None
    """Where its log goes, appended; None = only the end is kept, for error messages."""
    start_timeout: float = 400.0
    """Seconds after which a start is given up: 50 on two idle cores."""

    def arguments(self, port: int) -> list[str]:
        """The command line behind `vllm`."""
        switches = {
            "enable-prefix-caching": self.prefix_caching,
            "enable-prompt-tokens-details": self.report_reuse,
            "enable-scale-out": self.scale_out,
        }
        return [
            *("serve", str(self.model), "--served-model-name", NAME, "--host", "127.0.0.1", "--port", str(port)),
            *("--enforce-eager", "--max-model-len", str(self.context), "--max-num-seqs", "8"),
            *("--block-size", str(self.block), "--kv-cache-memory-bytes", str(self.cache_mib << 20)),
            # Tools in a request are an error without these; the model never calls any.
            *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
            *(("--chat-template", str(self.chat_template)) if self.chat_template is not None else ()),
            *(f"--{name}" if on else f"--no-{name}" for name, on in switches.items()),
        ]


class Vllm:
    """One vLLM server. `start` and `stop` block: call them from a thread where an event loop runs."""

    def __init__(self, options: VllmOptions) -> None:
        """Nothing starts here."""
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

    def start(self) -> Self:
        """Wait until the server's own /health says ok; returns itself. EngineError when it does not come to that."""
        if self._process is not None:
            raise EngineError("This vLLM has been started already: stop it first.")
        if not (self.options.environment / STAMP).is_file():
            raise EngineError(
                f"There is no vLLM in {self.options.environment}: run `make test-vllm`, which puts it there."
            )
        with contextlib.ExitStack() as unless_ready:
            unless_ready.callback(self.stop)
            self._spawn(self.options.port or _free_port())
            self._wait_healthy(time.monotonic() + self.options.start_timeout)
            unless_ready.pop_all()
        return self

    def stop(self) -> None:
        """End all its processes and wait until the first of them is gone; without effect when it is not running."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def memory_bytes(self) -> int:
        """Resident memory of all its processes in bytes. EngineError, MissingExtra (psutil)."""
        try:
            import psutil
        except ImportError as error:
            raise MissingExtra("measuring the engine's memory", "keepwarm[engine]") from error
        first = psutil.Process(self._running().pid)
        return sum(process.memory_info().rss for process in (first, *first.children(recursive=True)))

    def metrics(self, name: str) -> float:
        """The sum of a counter over its labels: `vllm:prompt_tokens_total`. LookupError where there is none."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        found = [float(line.rsplit(" ", 1)[1]) for line in lines if line.partition("{")[0].split(" ")[0] == name]
        if not found:
            raise LookupError(f"vLLM's /metrics has no {name}")
        return sum(found)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EngineError("vLLM is not running: start() it first.")
        if self._process.poll() is not None:
            raise EngineError(f"vLLM has stopped by itself. {self._log_tail()}")
        return self._process

    def _spawn(self, port: int) -> None:
        options = self.options
        if options.log_file is not None:
            options.log_file.parent.mkdir(parents=True, exist_ok=True)
            self._log = options.log_file.open("a+b")
        else:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open for as long as the child lives)
        self._log_start = self._log.seek(0, os.SEEK_END)
        self._url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [str(python_of(options.environment)), vllm_process.__file__, *options.arguments(port)],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
        )

    def _wait_healthy(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            self._running()
            try:
                with urllib.request.urlopen(self._url + "/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise EngineError(f"vLLM was not ready after {self.options.start_timeout:.0f} s. {self._log_tail()}")

    def _log_tail(self) -> str:
        """What it said last, as part of an error's text."""
        if self._log is None:
            return ""
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log_start, end - _TAIL_BYTES))
        tail = self._log.read().decode("utf-8", "replace").strip()
        self._log.seek(0, os.SEEK_END)
        return f"Its last words:\n{tail}" if tail else "It said nothing."


def _environment() -> dict[str, str]:
    """Nothing of the caller's but where things are: no network, no statistics, and no more than a thread to compute."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    dead = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {
        **kept,
        **dead,
        "no_proxy": "127.0.0.1,localhost",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
