"""Text that is compared with a file. KEEPWARM_GOLDEN=write writes the files anew: read them before committing."""

from __future__ import annotations

import os
from pathlib import Path

WRITES = os.environ.get("KEEPWARM_GOLDEN") == "write"


def check_golden(path: Path, text: str) -> None:
    """Fails when `text` is not what stands in the file."""
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if WRITES:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: KEEPWARM_GOLDEN=write writes it anew"
