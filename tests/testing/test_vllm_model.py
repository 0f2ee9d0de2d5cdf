"""The folder that vLLM loads: its parts agree with each other and with the GGUF that they come from."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.gguf_tokenizer import tokenizer_fields
from keepwarm.testing.templates import template_text
from keepwarm.testing.vllm_model import vllm_model, write_vllm_model


def test_it_is_written_once_and_always_the_same(tmp_path: Path) -> None:
    folder = vllm_model(tmp_path / "kept")
    assert vllm_model(tmp_path / "kept") == folder
    again = tmp_path / "again"
    again.mkdir()
    write_vllm_model(again, tokenizer_from=find_demo_model(), chat_template=template_text("qwen_like"))
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in again.iterdir()}
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [folder.name]


def test_the_weights_are_where_their_header_says() -> None:
    data = (vllm_model() / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    config = json.loads((vllm_model() / "config.json").read_text("utf-8"))
    at = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        start, end = tensor["data_offsets"]
        count = 1
        for side in tensor["shape"]:
            count *= side
        assert (start, end - start) == (at, 4 * count), name
        at = end
    assert at == len(data) - 8 - length
    assert header["model.embed_tokens.weight"]["shape"] == [config["vocab_size"], config["hidden_size"]]
    assert len([name for name in header if name.endswith("q_proj.weight")]) == config["num_hidden_layers"]


def test_the_tokenizer_is_the_one_of_the_demo_model() -> None:
    fields = {name: field.value for name, field in tokenizer_fields(find_demo_model()).items()}
    tokens = fields["tokenizer.ggml.tokens"]
    said = json.loads((vllm_model() / "tokenizer.json").read_text("utf-8"))
    assert [token for token, _ in sorted(said["model"]["vocab"].items(), key=lambda pair: pair[1])] == tokens
    assert {" ".join(merge) for merge in said["model"]["merges"]} == set(fields["tokenizer.ggml.merges"])
    special = {token["content"]: token["id"] for token in said["added_tokens"]}
    assert special["<|im_end|>"] == fields["tokenizer.ggml.eos_token_id"]
    assert all(tokens[place] == token for token, place in special.items())


def test_without_numpy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingExtra, match=r"keepwarm\[engine\]"):
        vllm_model(tmp_path)
