"""Write a tiny llama-architecture GGUF with random weights: a real engine to count real cache tokens on.

The model is 2 layers, 64 wide, 2 heads (14 MB, 1,500 to 20,000 tokens/s of prefill by how busy two cores are) and
borrows its tokenizer from another GGUF (SmolLM2's, 49,152 tokens). Its words are noise; its slots, its
prefix cache and its counts are llama.cpp's own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.templates import template_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTEXT_LENGTH: Final = 262_144
_LAYERS: Final = 2
_WIDTH: Final = 64
_HEADS: Final = 2
_FEED_FORWARD: Final = 128
_VERSION: Final = 1
"""Counts up when the bytes change, so that a model kept from an older version is not used."""


def tiny_model(directory: Path | None = None) -> Path:
    """The tiny GGUF, written on first use (3 s) and kept; its chat template is `qwen_like`.

    directory   where it is kept; None = `keepwarm` in the user's cache folder

    Another template costs no other model: pass its text as EngineOptions.chat_template. Raises as write_tiny_model,
    and EngineError where the model whose tokenizer it borrows is not installed.
    """
    if directory is None:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keepwarm"
    path = directory / f"tiny-{_VERSION}.gguf"
    if path.is_file():
        return path
    return write_tiny_model(path, tokenizer_from=find_demo_model(), chat_template=template_text("qwen_like"))


def write_tiny_model(path: Path, *, tokenizer_from: Path, chat_template: str, seed: int = 7) -> Path:
    """Write the tiny GGUF to `path` and return it.

    path            where the file goes; written beside and renamed, so a half-written model is never seen
    tokenizer_from  a GGUF whose `tokenizer.ggml.*` fields are copied
    chat_template   Jinja text for `tokenizer.chat_template`
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
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, suffix=".gguf.part")
    os.close(handle)
    writer = gguf.GGUFWriter(scratch, "llama")
    _add_shape(writer, gguf.LlamaFileType.MOSTLY_F16)
    vocabulary = _copy_tokenizer(writer, gguf.GGUFReader(str(tokenizer_from)), gguf.GGUFValueType.ARRAY)
    writer.add_chat_template(chat_template)
    for name, tensor in _random_tensors(np.random.default_rng(seed), vocabulary):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(scratch, path)
    return path


def _add_shape(writer: Any, file_type: int) -> None:
    writer.add_name("keepwarm-tiny")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_rope_freq_base(10_000_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(file_type)


def _copy_tokenizer(writer: Any, source: Any, array_type: object) -> int:
    """Copy every `tokenizer.*` field but the chat template; returns how many tokens there are."""
    vocabulary = 0
    for name, field in source.fields.items():
        if not name.startswith("tokenizer.") or name.startswith("tokenizer.chat_template"):
            continue
        value = field.contents()
        kind = field.types[0]
        writer.add_key_value(name, value, kind, field.types[-1] if kind == array_type else None)
        if name == "tokenizer.ggml.tokens":
            vocabulary = len(value)
    writer.add_vocab_size(vocabulary)
    return vocabulary


def _random_tensors(random: np.random.Generator, vocabulary: int) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every tensor a llama of this shape has, by llama.cpp's names."""
    import numpy as np

    def matrix(rows: int, columns: int) -> NDArray[Any]:
        return (random.standard_normal((rows, columns)) * 0.05).astype(np.float16)

    ones = np.ones(_WIDTH, dtype=np.float32)
    yield "token_embd.weight", matrix(vocabulary, _WIDTH)
    yield "output_norm.weight", ones
    yield "output.weight", matrix(vocabulary, _WIDTH)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", ones
        yield f"{block}.ffn_norm.weight", ones
        for part in ("q", "k", "v", "output"):
            yield f"{block}.attn_{part}.weight", matrix(_WIDTH, _WIDTH)
        yield f"{block}.ffn_gate.weight", matrix(_FEED_FORWARD, _WIDTH)
        yield f"{block}.ffn_up.weight", matrix(_FEED_FORWARD, _WIDTH)
        yield f"{block}.ffn_down.weight", matrix(_WIDTH, _FEED_FORWARD)
