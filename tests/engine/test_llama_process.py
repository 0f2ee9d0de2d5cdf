"""The child process itself: what it is told, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import xllamacpp

from keepwarm.engine.llama_process import EXIT_NOT_INSTALLED, EXIT_REFUSED, server_parameters
from keepwarm.engine.options import EngineOptions, encode_options

CHILD = [sys.executable, "-m", "keepwarm.engine.llama_process"]


def run_child(options: EngineOptions, *, before: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the child to its end with standard input ending behind the options; `before` is Python run in it first."""
    command = CHILD
    if before:
        code = f"import runpy, sys\n{before}\nrunpy.run_module('keepwarm.engine.llama_process', run_name='__main__')"
        command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(encode_options(options) + b"\n")
    process.stdin.flush()
    # Standard input stays open: the child must end by itself.
    assert process.wait(60) is not None
    output, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def test_every_option_reaches_the_server() -> None:
    params = server_parameters(
        xllamacpp,
        EngineOptions(
            model=Path("m.gguf"),
            context=4096,
            slots=3,
            host="127.0.0.2",
            port=18080,
            threads=1,
            cache_ram_mib=64,
            slot_save_path=Path("kept"),
            chat_template="words",
            template_kwargs={"preserve_thinking": True, "date_string": "1 May"},
            alias="tiny",
            checkpoints=4,
            swa_full=True,
            unified=True,
            cache_reuse=64,
            cache_prompt=False,
            context_shift=True,
            verbosity=4,
        ),
    )
    assert (params.model.path, params.n_ctx, params.n_parallel) == ("m.gguf", 4096, 3)
    assert (params.hostnames, params.port, params.cpuparams.n_threads) == (["127.0.0.2"], 18080, 1)
    assert (params.cache_ram_mib, params.slot_save_path, params.chat_template) == (64, "kept/", "words")
    assert params.default_template_kwargs == {"preserve_thinking": "true", "date_string": '"1 May"'}
    assert params.model_alias == {"tiny"}
    assert (params.n_ctx_checkpoints, params.swa_full, params.n_cache_reuse) == (4, True, 64)
    assert (params.cache_prompt, params.ctx_shift, params.verbosity) == (False, True, 4)
    assert params.kv_unified
    assert params.endpoint_slots
    assert params.endpoint_metrics


def test_what_is_not_said_stays_llama_cpps_own() -> None:
    untouched = xllamacpp.CommonParams()
    params = server_parameters(xllamacpp, EngineOptions(model=Path("m.gguf")))
    for name in (
        "slot_save_path",
        "chat_template",
        "default_template_kwargs",
        "model_alias",
        "cache_ram_mib",
        "n_ctx_checkpoints",
        "swa_full",
        "kv_unified",
        "n_cache_reuse",
        "cache_prompt",
        "ctx_shift",
        "verbosity",
    ):
        assert getattr(params, name) == getattr(untouched, name), name
    assert params.cpuparams.n_threads == untouched.cpuparams.n_threads


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, but no more than that")
    ended = run_child(EngineOptions(model=tmp_path / "broken.gguf"))
    assert ended.returncode == EXIT_REFUSED
    assert ended.stdout == b""
    assert ended.stderr.strip()


def test_without_the_library_it_says_so(tmp_path: Path) -> None:
    ended = run_child(EngineOptions(model=tmp_path / "any.gguf"), before="sys.modules['xllamacpp'] = None")
    assert ended.returncode == EXIT_NOT_INSTALLED


@pytest.mark.parametrize("words", [b"", b"\n", b"not options\n"])
def test_without_options_it_ends_at_once(words: bytes) -> None:
    ended = subprocess.run(CHILD, input=words, capture_output=True, timeout=60, check=False)
    assert ended.returncode not in (0, EXIT_REFUSED, EXIT_NOT_INSTALLED)
    assert ended.stdout == b""
