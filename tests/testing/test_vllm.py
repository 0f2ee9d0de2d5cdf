"""Starting and stopping vLLM, with a stand-in that answers /health and /metrics: the real one is in tests/vllm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from keepwarm.errors import EngineError
from keepwarm.testing.vllm import Vllm, VllmOptions
from keepwarm.testing.vllm_install import STAMP

# What vLLM is to its parent: a command line, a server that takes its time, a worker process, a log.
STAND_IN = '''
import http.server, json, os, subprocess, sys, time
arguments = sys.argv[1:]
print("the stand-in begins", flush=True)
if "--fail" in os.environ.get("LANG", ""):
    sys.exit("out of memory, say")
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
METRICS = """# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0"} 40.0
vllm:prompt_tokens_total{engine="1"} 2.0
process_start_time_seconds 17.5
"""
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = {"arguments": arguments, "environment": dict(os.environ), "worker": worker.pid}
        body = METRICS if self.path == "/metrics" else json.dumps(told)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *words):
        pass
time.sleep(0.3)
port = int(arguments[arguments.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''


@pytest.fixture
def options(tmp_path: Path) -> VllmOptions:
    """An environment with the stand-in in vLLM's place."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (site,) = environment.glob("lib/python*/site-packages")
    command = site / "vllm" / "entrypoints" / "cli" / "main.py"
    command.parent.mkdir(parents=True)
    command.write_text(STAND_IN)
    (environment / STAMP).touch()
    return VllmOptions(environment=environment, model=tmp_path / "model", start_timeout=60.0)


def told(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + "/health", timeout=30) as answer:
        said: dict[str, Any] = json.loads(answer.read())
        return said


def gone(pid: int) -> bool:
    """Waits until no process has the id `pid`; False after 20 s."""
    try:
        psutil.Process(pid).wait(20)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_it_starts_can_be_asked_and_leaves_nothing_behind(
    options: VllmOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")
    with Vllm(replace(options, report_reuse=False)) as vllm:
        said = told(vllm.url)
        assert said["arguments"][:2] == ["serve", str(options.model)]
        assert "--no-enable-prompt-tokens-details" in said["arguments"]
        assert "--enable-prefix-caching" in said["arguments"]
        assert "--chat-template" not in said["arguments"]
        assert said["environment"]["HF_HUB_OFFLINE"] == "1"
        assert "SECRET_OF_THE_CALLER" not in said["environment"]
        assert vllm.metrics("vllm:prompt_tokens_total") == 42
        assert vllm.metrics("process_start_time_seconds") == 17.5
        with pytest.raises(LookupError, match="vllm:prompt"):
            vllm.metrics("vllm:prompt")
        assert vllm.memory_bytes() > 10_000_000
        with pytest.raises(EngineError, match="already"):
            vllm.start()
    assert gone(said["worker"])
    with pytest.raises(EngineError, match="not running"):
        _ = vllm.url
    vllm.stop()


def test_its_workers_end_with_a_parent_that_is_killed(options: VllmOptions) -> None:
    code = (
        "import sys\nimport msgspec\nfrom pathlib import Path\nfrom keepwarm.testing.vllm import Vllm, VllmOptions\n"
        "environment, model = map(Path, sys.argv[1:])\n"
        "print(Vllm(VllmOptions(environment=environment, model=model)).start().url, flush=True)\nsys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(options.environment), str(options.model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    worker = told(parent.stdout.readline().strip())["worker"]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(20)
    parent.stdin.close()
    parent.stdout.close()
    assert gone(worker)


def test_one_that_fails_is_told_with_its_last_words(
    options: VllmOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "--fail")
    log = tmp_path / "logs" / "vllm.log"
    with pytest.raises(EngineError, match=r"(?s)stopped by itself.*out of memory, say"):
        Vllm(replace(options, log_file=log)).start()
    assert "the stand-in begins" in log.read_text()


def test_one_that_is_too_slow_is_given_up(options: VllmOptions) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(EngineError, match="not ready after 0 s"):
        Vllm(replace(options, start_timeout=0.0)).start()
    assert {child.pid for child in psutil.Process().children()} == before


def test_without_an_environment_it_says_how_to_make_one(options: VllmOptions, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="make test-vllm"):
        Vllm(replace(options, environment=tmp_path / "nowhere")).start()
