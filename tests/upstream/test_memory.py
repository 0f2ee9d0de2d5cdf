"""How far back a model's cache can go, from the fields of its file."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from keepwarm.codec.gguf_fields import ENOUGH
from keepwarm.engine.demo_model import find_demo_model
from keepwarm.testing.tiny_model import tiny_model
from keepwarm.testing.tiny_shapes import SHAPES, Memory
from keepwarm.upstream.memory import memory_of


def beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(ENOUGH)


@pytest.mark.parametrize("memory", SHAPES)
def test_the_tiny_models_are_what_they_are_made_to_be(memory: Memory) -> None:
    assert memory_of(beginning(tiny_model(memory=memory))) == memory


def test_a_real_model() -> None:
    assert memory_of(beginning(find_demo_model())) == "full"


@pytest.mark.parametrize(
    ("architecture", "said", "memory"),
    [
        ("gpt-oss", {"attention.head_count_kv": 8, "attention.sliding_window": 128}, "swa"),
        ("qwen3next", {"attention.head_count_kv": 2, "ssm.conv_kernel": 4}, "hybrid"),
        ("lfm2", {"attention.head_count_kv": [0, 0, 8], "shortconv.l_cache": 3}, "hybrid"),
        ("rwkv7", {"attention.head_count_kv": 0, "wkv.head_size": 64}, "recurrent"),
        ("rwkv6", {"attention.head_count_kv": [0, 0], "wkv.head_size": 64}, "recurrent"),
        ("phi3", {"attention.head_count_kv": 8, "attention.sliding_window": 2047}, "full"),
        ("gemma2", {"attention.head_count_kv": 8, "attention.sliding_window": 0}, "full"),
        ("llama4", {"attention.head_count_kv": 8}, "swa"),
        ("qwen3", {"attention.head_count_kv": 8}, "full"),
        # Another architecture's fields say nothing of this one.
        ("qwen3", {"attention.head_count_kv": 8, "../mamba.ssm.conv_kernel": 4}, "full"),
    ],
)
def test_what_the_fields_say(tmp_path: Path, architecture: str, said: dict[str, int | list[int]], memory: str) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), architecture)
    writer.add_block_count(3)
    for name, value in said.items():
        key = name.removeprefix("../") if name.startswith("../") else f"{architecture}.{name}"
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_array(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert memory_of((tmp_path / "m.gguf").read_bytes()) == memory


@pytest.mark.parametrize("data", [b"", b"GGUF", b"<html>", b"GGUF" + bytes(60)])
def test_what_says_nothing_is_unknown(data: bytes) -> None:
    assert memory_of(data) == ""


def test_a_file_cut_off_in_front_of_its_architecture_is_unknown() -> None:
    data = beginning(tiny_model(memory="hybrid"))
    assert memory_of(data[: data.index(b"granitehybrid.block_count")]) == ""
