"""The tokenizer of a GGUF is read as the `gguf` package reads it; what is no whole GGUF is refused."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import EngineError
from keepwarm.testing.gguf_tokenizer import Field, tokenizer_fields


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


def test_each_field_is_what_the_package_reads(small: Path) -> None:
    wanted = {}
    for name, field in gguf.GGUFReader(str(small)).fields.items():
        if name.startswith("tokenizer."):
            inner = int(field.types[-1]) if len(field.types) > 1 else None
            wanted[name] = Field(field.contents(), int(field.types[0]), inner)
    assert list(tokenizer_fields(small).items()) == list(wanted.items())


def test_the_demo_models_tokenizer_is_whole() -> None:
    fields = tokenizer_fields(find_demo_model())
    tokens = fields["tokenizer.ggml.tokens"].value
    assert len(tokens) == len(fields["tokenizer.ggml.token_type"].value) == 49_152
    assert tokens[fields["tokenizer.ggml.eos_token_id"].value] == "<|im_end|>"
    known = set(tokens)
    assert all("".join(merge.split(" ")) in known for merge in fields["tokenizer.ggml.merges"].value)


def test_a_file_that_ends_anywhere_is_refused(small: Path) -> None:
    whole = small.read_bytes()
    for length in range(len(whole)):
        small.write_bytes(whole[:length])
        with pytest.raises(EngineError, match=r"small\.gguf"):
            tokenizer_fields(small)
