"""The tiny model is written once, always the same, and says what it misses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model, write_tiny_model
from keepwarm.testing.tiny_shapes import SHAPES, Memory


@pytest.mark.parametrize("memory", SHAPES)
def test_each_kind_of_memory_is_a_file_and_the_same_seed_writes_the_same_bytes(memory: Memory, tmp_path: Path) -> None:
    path = tiny_model(memory=memory)
    assert path.stat().st_size < 16_000_000
    assert path != tiny_model(memory="swa" if memory != "swa" else "full")
    again = write_tiny_model(
        tmp_path / "again.gguf",
        tokenizer_from=find_demo_model(),
        chat_template=template_text("qwen_like"),
        memory=memory,
    )
    assert again.read_bytes() == path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.gguf"]


def test_it_is_written_once(model: Path) -> None:
    written = model.stat().st_mtime_ns
    assert tiny_model() == model
    assert model.stat().st_mtime_ns == written


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.gguf"):
        write_tiny_model(tmp_path / "m.gguf", tokenizer_from=tmp_path / "none.gguf", chat_template="")
    assert list(tmp_path.iterdir()) == []


def test_without_gguf_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r"keepwarm\[engine\]"):
        tiny_model(tmp_path)
