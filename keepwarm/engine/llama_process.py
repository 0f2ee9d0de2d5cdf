"""The child process: one llama.cpp server, for as long as standard input stays open.

    python -m keepwarm.engine.llama_process

reads EngineOptions as one JSON line, prints {"url": "http://127.0.0.1:PORT"} as one JSON line when the model is
loaded, and ends when standard input ends. That is how the engine dies with its parent however the parent dies: the
kernel closes a dead process's pipes. (PR_SET_PDEATHSIG would not do: it fires when the parent's *thread* ends, and
the engine may be started from a worker thread.)

Exit status 3: the model or an option was refused, the reason is on standard error. 4: xllamacpp is not installed.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, BinaryIO, Final

import msgspec

from keepwarm.engine.options import EngineOptions, decode_options

EXIT_REFUSED: Final = 3
EXIT_NOT_INSTALLED: Final = 4


def server_parameters(xllamacpp: Any, options: EngineOptions) -> Any:
    """`options` as xllamacpp's CommonParams. `xllamacpp` is the module, passed in because it is an optional part."""
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    params.n_ctx = options.context
    params.n_parallel = options.slots
    params.hostnames = [options.host]
    params.port = options.port
    params.endpoint_slots = options.show_slots
    params.endpoint_metrics = True
    params.use_jinja = True
    # A warm-up run costs start time and would be counted by nobody.
    params.warmup = False
    params.cache_ram_mib = options.cache_ram_mib
    params.kv_unified = options.unified
    params.swa_full = options.swa_full
    params.n_cache_reuse = options.cache_reuse
    params.cache_prompt = options.cache_prompt
    params.ctx_shift = options.context_shift
    if options.checkpoints is not None:
        params.n_ctx_checkpoints = options.checkpoints
    if options.verbosity is not None:
        params.verbosity = options.verbosity
    if options.threads is not None:
        params.cpuparams.n_threads = options.threads
        params.cpuparams_batch.n_threads = options.threads
    if options.slot_save_path is not None:
        # llama.cpp puts the file name right behind this path.
        params.slot_save_path = str(options.slot_save_path) + os.sep
    if options.chat_template is not None:
        params.chat_template = options.chat_template
    if options.template_kwargs:
        # llama.cpp keeps each value as the JSON text of it.
        params.default_template_kwargs = {
            name: msgspec.json.encode(value).decode() for name, value in options.template_kwargs.items()
        }
    if options.alias is not None:
        params.model_alias = {options.alias}
    return params


def main() -> int:
    """Run the server until standard input ends; the exit status is told in the module's docstring."""
    report = _claim_stdout()
    options = decode_options(sys.stdin.buffer.readline())
    # From here on a parent that dies takes this process along, also while the model is still loading.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if options.show_prompts:
        os.environ["LLAMA_SERVER_SLOTS_DEBUG"] = "1"  # the library reads it when it starts
    try:
        import xllamacpp
    except ImportError as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_INSTALLED
    try:
        server = xllamacpp.Server(server_parameters(xllamacpp, options))
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    report.write(msgspec.json.encode({"url": server.listening_address}) + b"\n")
    report.flush()
    threading.Event().wait()
    return 0


def _claim_stdout() -> BinaryIO:
    """Keep standard output for the one line the parent reads; whatever the library prints goes to standard error."""
    report = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return report


def _end_with_parent() -> None:
    # os.read, not sys.stdin: a thread inside sys.stdin's lock makes the interpreter abort when main() ends by itself.
    while os.read(0, 4096):
        pass
    # Not sys.exit: the server's threads would be waited for, and there is nothing of theirs to save.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
