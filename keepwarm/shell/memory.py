"""How the process treats memory that it no longer needs: what one request took, the next one takes again.

An agent's body is hundreds of kilobytes, and so is what is made of it. glibc asks the kernel for each such block anew
and gives it back at once, and to be given fresh pages takes longer than to fill them: a third of keepwarm's own time
for a body of 1 MB, when measured. So up to KEPT_BYTES that are free stay with the process.

And Python looks for cycles after every 700 objects, although hardly anything here is one: a tenth of the time of many
small requests. So it looks more rarely, and never again at what was there before the first request.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from typing import Final

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Free memory that is not given back to the kernel."""
OWN_BLOCK_BYTES: Final = 32 * 1024 * 1024
"""Blocks from this size on are asked for and given back one by one; more is not allowed."""
YOUNG_OBJECTS: Final = 50_000
"""New objects after which Python looks for cycles among them; some megabytes at most."""
# malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> bool:
    """Tell the C library; False where it is not glibc, and nothing is changed."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_M_MMAP_THRESHOLD, OWN_BLOCK_BYTES) and mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))
    return False


def collect_rarely() -> None:
    """Tell Python's garbage collector; called once, when everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
