"""The embedded engine: llama.cpp's own HTTP server in a child process (needs `keepwarm[engine]`)."""

from __future__ import annotations
