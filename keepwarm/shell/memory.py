"""How the C library treats memory that was given back: what one request's body took, the next one's takes again.

An agent's body is hundreds of kilobytes, and so is what is made of it. glibc asks the kernel for each such block anew
and gives it back at once, and to be given fresh pages takes longer than to fill them: a third of keepwarm's own time
for a body of 1 MB, when measured. So up to KEPT_BYTES that are free stay with the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Free memory that is not given back to the kernel."""
OWN_BLOCK_BYTES: Final = 32 * 1024 * 1024
"""Blocks from this size on are asked for and given back one by one; more is not allowed."""
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
