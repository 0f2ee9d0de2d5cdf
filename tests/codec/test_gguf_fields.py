"""The first fields of a GGUF: as the gguf package writes them, cut off anywhere, and from anything else."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.codec.gguf_fields import ENOUGH, fields
from keepwarm.engine.demo_model import find_demo_model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with a field of every type."""
    path: Path = tmp_path_factory.mktemp("gguf") / "all.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_uint8("a.u8", 255)
    writer.add_int8("a.i8", -128)
    writer.add_uint16("a.u16", 65535)
    writer.add_int16("a.i16", -1)
    writer.add_uint32("a.u32", 1 << 31)
    writer.add_int32("a.i32", -5)
    writer.add_uint64("a.u64", 1 << 63)
    writer.add_int64("a.i64", -(1 << 40))
    writer.add_float32("a.f32", 0.5)
    writer.add_float64("a.f64", 0.1)
    writer.add_bool("a.yes", True)
    writer.add_string("a.text", "größer")
    writer.add_array("a.numbers", [0, 2, 0])
    writer.add_array("a.words", ["one", "two"])
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("a.behind", "not read")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path.read_bytes()


WANTED = {
    "general.architecture": "llama",
    "a.u8": 255,
    "a.i8": -128,
    "a.u16": 65535,
    "a.i16": -1,
    "a.u32": 1 << 31,
    "a.i32": -5,
    "a.u64": 1 << 63,
    "a.i64": -(1 << 40),
    "a.f32": 0.5,
    "a.f64": 0.1,
    "a.yes": True,
    "a.text": "größer",
    "a.numbers": [0, 2, 0],
    "a.words": ["one", "two"],
}


def test_every_type_is_read_and_the_tokenizer_ends_it(written: bytes) -> None:
    assert fields(written) == WANTED


def test_a_beginning_gives_what_it_holds(written: bytes) -> None:
    rows = list(WANTED.items())
    counts = set()
    for end in range(len(written)):
        found = fields(written[:end])
        assert list(found.items()) == rows[: len(found)]
        counts.add(len(found))
    assert counts == set(range(len(rows) + 1))


def test_a_real_models_beginning_is_enough() -> None:
    with find_demo_model().open("rb") as file:
        found = fields(file.read(ENOUGH))
    assert (found["general.architecture"], found["llama.block_count"], found["llama.attention.head_count_kv"]) == (
        "llama",
        30,
        3,
    )


def test_what_it_does_not_know_is_left_alone() -> None:
    one = struct.pack("<QQ", 0, 1) + struct.pack("<Q", 1) + b"x"
    assert fields(b"GGUF" + struct.pack("<I", 3) + one + struct.pack("<IB", 0, 7)) == {"x": 7}
    assert fields(b"GGUF" + struct.pack("<I", 1) + one + struct.pack("<IB", 0, 7)) == {}, "the first version"
    assert fields(b"GGUF" + struct.pack(">I", 3) + one + struct.pack("<IB", 0, 7)) == {}, "the other byte order"
    assert fields(b"GGUF" + struct.pack("<I", 3) + one + struct.pack("<IB", 99, 7)) == {}, "a type to come"
    nested = struct.pack("<IIQ", 9, 9, 1)
    assert fields(b"GGUF" + struct.pack("<I", 3) + one + nested) == {}, "an array of arrays"
    endless = struct.pack("<IIQ", 9, 0, 1 << 60)
    assert fields(b"GGUF" + struct.pack("<I", 3) + one + endless) == {}


@given(st.binary(max_size=200))
def test_nothing_breaks_it(data: bytes) -> None:
    assert fields(data) == {} or data.startswith(b"GGUF")
    fields(b"GGUF" + data)
    fields(b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 62) + data)
