"""Write a tiny GGUF with random weights: a real engine to count real cache tokens on.

The model is 2 layers, 64 wide (8 to 14 MB, 1,500 to 20,000 tokens/s of prefill by how busy two cores are) and borrows
its tokenizer from another GGUF (SmolLM2's, 49,152 tokens). Its words are noise; its slots, its prefix cache and its
counts are llama.cpp's own. `tiny_shapes` has one for each kind of memory.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Final

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.gguf_tokenizer import Field, tokenizer_fields
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_shapes import SHAPES, WIDTH, Memory, Weights

CONTEXT_LENGTH: Final = 262_144
_VERSION: Final = 1
"""Counts up when the bytes change, so that a model kept from an older version is not used."""


def tiny_model(directory: Path | None = None, *, memory: Memory = "full") -> Path:
    """The tiny GGUF, written on first use (1 s) and kept; its chat template is `qwen_like`.

    directory   where it is kept; None = `keepwarm` in the user's cache folder
    memory      what it can forget: one of tiny_shapes.SHAPES

    Another template costs no other model: pass its text as EngineOptions.chat_template. Raises as write_tiny_model,
    and EngineError where the model whose tokenizer it borrows is not installed.
    """
    if directory is None:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keepwarm"
    kind = "" if memory == "full" else f"{memory}-"
    path = directory / f"tiny-{kind}{_VERSION}.gguf"
    if path.is_file():
        return path
    return write_tiny_model(
        path, tokenizer_from=find_demo_model(), chat_template=template_text("qwen_like"), memory=memory
    )


def write_tiny_model(
    path: Path, *, tokenizer_from: Path, chat_template: str, memory: Memory = "full", seed: int = 7
) -> Path:
    """Write the tiny GGUF to `path` and return it.

    path            where the file goes; written beside and renamed, so a half-written model is never seen
    tokenizer_from  a GGUF whose `tokenizer.ggml.*` fields are copied
    chat_template   Jinja text for `tokenizer.chat_template`
    memory          which of tiny_shapes.SHAPES it has
    seed            of the random weights: the same seed writes the same bytes

    Raises MissingExtra when `gguf` or `numpy` is not installed, FileNotFoundError for `tokenizer_from`.
    """
    try:
        import gguf
        import numpy as np
    except ImportError as error:
        raise MissingExtra("the tiny test model", "keepwarm[engine]") from error

    if not tokenizer_from.is_file():
        raise FileNotFoundError(tokenizer_from)
    shape = SHAPES[memory]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".gguf.part")
    os.close(handle)
    writer = gguf.GGUFWriter(scratch, shape.architecture)
    writer.add_name("keepwarm-tiny")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(WIDTH)
    shape.describe(writer)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    vocabulary = _copy_tokenizer(writer, tokenizer_fields(tokenizer_from), gguf.GGUFValueType)
    writer.add_chat_template(chat_template)
    for name, tensor in shape.tensors(Weights(np.random.default_rng(seed)), vocabulary):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(scratch, path)
    return path


def _copy_tokenizer(writer: Any, fields: dict[str, Field], types: Any) -> int:
    """Copy every `tokenizer.*` field but the chat template; returns how many tokens there are."""
    vocabulary = 0
    for name, field in fields.items():
        if name.startswith("tokenizer.chat_template"):
            continue
        inner = None if field.inner is None else types(field.inner)
        writer.add_key_value(name, field.value, types(field.kind), inner)
        if name == "tokenizer.ggml.tokens":
            vocabulary = len(field.value)
    writer.add_vocab_size(vocabulary)
    return vocabulary
