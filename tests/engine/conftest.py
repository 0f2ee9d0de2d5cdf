"""The tiny model, for tests that start an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.tiny_model import tiny_model


@pytest.fixture(scope="session")
def model() -> Path:
    """The tiny GGUF, in the session's own cache folder."""
    return tiny_model()
