"""The embedded engine starts, serves, can be measured, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.errors import EngineError, MissingExtra


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """GET `url`, or POST `body` to it."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        value: dict[str, Any] = json.loads(answer.read())
        return value


def gone(pid: int) -> bool:
    """Waits until no process has the id `pid` (or only a dead one nobody has asked after); False after 20 s."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        process.wait(20)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_proxy_is_not_asked_whether_it_is_up(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Engine(EngineOptions(model=model, context=512, slots=1, threads=1, start_timeout=30)) as engine:
        assert engine.url


def test_it_serves_what_the_options_say_and_is_gone_after(model: Path, tmp_path: Path) -> None:
    options = EngineOptions(
        model=model,
        context=4096,
        slots=2,
        threads=1,
        alias="tiny",
        chat_template="{{ greeting }}:{% for message in messages %}{{ message.content }}{% endfor %}",
        template_kwargs={"greeting": "hello"},
        slot_save_path=tmp_path,
        log_file=tmp_path / "logs" / "engine.log",
    )
    with Engine(options) as engine:
        props = ask(engine.url + "/props")
        assert (props["total_slots"], props["default_generation_settings"]["n_ctx"]) == (2, 2048)
        assert ask(engine.url + "/v1/models")["data"][0]["id"] == "tiny"
        messages = {"messages": [{"role": "user", "content": "you"}]}
        assert ask(engine.url + "/apply-template", messages)["prompt"] == "hello:you"
        answer = ask(engine.url + "/completion", {"prompt": "a few words here", "n_predict": 2, "id_slot": 1})
        assert (answer["id_slot"], answer["tokens_predicted"]) == (1, 2)
        ask(engine.url + "/slots/1?action=save", {"filename": "kept.bin"})
        assert (tmp_path / "kept.bin").is_file()
        assert engine.memory_bytes() > 10_000_000
        pid = engine.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)
    assert (tmp_path / "logs" / "engine.log").stat().st_size > 0
    for use in (lambda: engine.url, lambda: engine.pid, engine.memory_bytes):
        with pytest.raises(EngineError, match="not running"):
            use()
    engine.stop()


def test_it_outlives_the_thread_that_started_it_and_starts_again(model: Path) -> None:
    engine = Engine(EngineOptions(model=model, context=1024))
    try:
        starter = threading.Thread(target=engine.start)
        starter.start()
        starter.join()
        first = engine.pid
        assert ask(engine.url + "/health") == {"status": "ok"}
        with pytest.raises(EngineError, match="already"):
            engine.start()
        engine.stop()
        assert engine.start().pid != first
    finally:
        engine.stop()


def test_an_engine_that_dies_is_told_with_its_last_words(model: Path) -> None:
    with Engine(EngineOptions(model=model, context=1024)) as engine:
        process = psutil.Process(engine.pid)
        process.kill()
        process.wait(20)
        with pytest.raises(EngineError, match="stopped by itself"):
            engine.memory_bytes()


def test_it_dies_with_a_parent_that_is_killed(model: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom keepwarm.engine.llama import Engine, EngineOptions\n"
        "engine = Engine(EngineOptions(model=Path(sys.argv[1]), context=1024)).start()\n"
        "print(engine.pid, flush=True)\nsys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(20)
    parent.stdin.close()
    parent.stdout.close()
    assert gone(child)


def test_a_missing_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no model file .*nothing\.gguf"):
        Engine(EngineOptions(model=tmp_path / "nothing.gguf")).start()


def test_a_broken_file_is_told_with_the_engines_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"not a model at all")
    engine = Engine(EngineOptions(model=tmp_path / "broken.gguf"))
    with pytest.raises(EngineError, match=r"(?s)complete GGUF.*last words:.*broken\.gguf"):
        engine.start()
    with pytest.raises(EngineError, match="not running"):
        _ = engine.pid


def test_a_taken_port_is_told(model: Path) -> None:
    with Engine(EngineOptions(model=model, context=1024)) as engine:
        port = int(engine.url.rsplit(":", 1)[1])
        with pytest.raises(EngineError, match=str(port)):
            Engine(EngineOptions(model=model, context=1024, port=port)).start()


def test_a_start_that_takes_too_long_is_given_up_and_leaves_no_process(model: Path) -> None:
    engine = Engine(EngineOptions(model=model, start_timeout=0.0))
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(EngineError, match="not ready after 0 s"):
        engine.start()
    assert {child.pid for child in psutil.Process().children()} == before


def test_without_the_library_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('not here')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtra, match=r"keepwarm\[engine\]"):
        Engine(EngineOptions(model=model)).start()


def test_without_psutil_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(EngineOptions(model=model, context=1024)) as engine:
        monkeypatch.setitem(sys.modules, "psutil", None)
        with pytest.raises(MissingExtra, match=r"keepwarm\[engine\]"):
            engine.memory_bytes()
