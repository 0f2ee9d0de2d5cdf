"""The tokenizer of a GGUF, field by field, and read once."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import pytest

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.gguf_tokenizer import tokenizer_fields


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_array("other.numbers", [1, 2])
    writer.add_string("tokenizer.ggml.model", "größer")
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_array("tokenizer.ggml.tokens", ["one", "zwölf"])
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_other_fields_are_passed_over(small: Path) -> None:
    assert {name: field.value for name, field in tokenizer_fields(small).items()} == {
        "tokenizer.ggml.model": "größer",
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.tokens": ["one", "zwölf"],
        "tokenizer.ggml.scores": [0.5, -1.0],
    }


def test_what_a_writer_needs_to_say_it_again_is_told(small: Path) -> None:
    types = gguf.GGUFValueType
    fields = tokenizer_fields(small)
    assert (fields["tokenizer.ggml.model"].kind, fields["tokenizer.ggml.model"].inner) == (types.STRING, None)
    assert (fields["tokenizer.ggml.scores"].kind, fields["tokenizer.ggml.scores"].inner) == (types.ARRAY, types.FLOAT32)


def test_the_demo_models_tokenizer_is_whole() -> None:
    fields = tokenizer_fields(find_demo_model())
    tokens = fields["tokenizer.ggml.tokens"].value
    assert len(tokens) == len(fields["tokenizer.ggml.token_type"].value) == 49_152
    assert tokens[fields["tokenizer.ggml.eos_token_id"].value] == "<|im_end|>"
    known = set(tokens)
    assert all("".join(merge.split(" ")) in known for merge in fields["tokenizer.ggml.merges"].value)


def test_a_file_is_read_once(small: Path) -> None:
    assert tokenizer_fields(small) is tokenizer_fields(small)


def test_without_gguf_the_extra_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r"keepwarm\[engine\]"):
        tokenizer_fields(small)
