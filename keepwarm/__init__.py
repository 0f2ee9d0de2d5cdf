"""keepwarm keeps a language-model server's KV (prefix) cache warm for coding agents."""

from __future__ import annotations

__version__ = "0.1.0"
