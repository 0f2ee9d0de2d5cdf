"""The child process of `testing.vllm`: runs `vllm` with the arguments it is given until standard input ends.

    .vllm/bin/python vllm_process.py serve MODEL --port 8000

Runs in vLLM's own environment, which knows no keepwarm, so it imports nothing but the standard library. vLLM spreads
over several processes, and a server that is killed leaves its workers behind: they all are in this process's group,
and the group is what ends, however the parent ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Final

_STOP_SECONDS: Final = 10.0


def main() -> None:
    """Runs vLLM and ends with all of its processes, itself included."""
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", *sys.argv[1:]]
    vllm = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(vllm,), daemon=True).start()
    vllm.wait()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _end_with_parent(vllm: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    vllm.terminate()
    try:
        vllm.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        vllm.kill()


if __name__ == "__main__":
    main()
