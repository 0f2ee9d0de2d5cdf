"""Write a tiny random LlamaForCausalLM as vLLM wants it: a folder with SmolLM2's tokenizer and a chat template.

By hand and not with transformers, which only vLLM's own environment has: a safetensors file is a JSON header with raw
numbers behind it, and the tokenizer's vocabulary and merges stand in the GGUF of the demo model.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keepwarm.engine.demo_model import find_demo_model
from keepwarm.errors import MissingExtra
from keepwarm.testing.gguf_tokenizer import tokenizer_fields
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_shapes import FEED_FORWARD, LAYERS, WIDTH, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTEXT: Final = 262_144
HEADS: Final = 1
"""Of 64: vLLM's attention on the CPU knows no smaller ones."""
_CONTROL: Final = 3
"""The type of a GGUF's tokens that are no text (`llama_token_type`)."""
_VERSION: Final = 1
"""Counts up when the files change, so that a folder kept from an older version is not used."""


def vllm_model(directory: Path | None = None) -> Path:
    """The folder, written on first use (1 s, 13 MB) and kept; its chat template is `qwen_like`.

    directory   where it is kept; None = `keepwarm` in the user's cache folder

    MissingExtra when `gguf` or `numpy` is not installed, EngineError where the demo model is not.
    """
    if directory is None:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keepwarm"
    folder = directory / f"tiny-vllm-{_VERSION}"
    if folder.is_dir():
        return folder
    directory.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=directory, suffix=".part"))
    write_vllm_model(scratch, tokenizer_from=find_demo_model(), chat_template=template_text("qwen_like"))
    # A folder that another process has put there meanwhile is as good.
    if not folder.is_dir():
        scratch.rename(folder)
    return folder


def write_vllm_model(folder: Path, *, tokenizer_from: Path, chat_template: str, seed: int = 7) -> None:
    """Write the files into `folder`.

    tokenizer_from  a GGUF whose tokenizer is a byte-level BPE of the "smollm" kind
    chat_template   Jinja text
    seed            of the random weights

    MissingExtra when `gguf` or `numpy` is not installed.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise MissingExtra("the tiny test model", "keepwarm[engine]") from error

    fields = {name: field.value for name, field in tokenizer_fields(tokenizer_from).items()}
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    special = [place for place, kind in enumerate(fields["tokenizer.ggml.token_type"]) if kind == _CONTROL]
    ends = {name: fields[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos", "padding")}
    _write(folder / "config.json", _config(len(tokens), ends["bos"], ends["eos"]))
    _write(folder / "generation_config.json", {"bos_token_id": ends["bos"], "eos_token_id": ends["eos"]})
    _write(folder / "tokenizer.json", _tokenizer(tokens, fields["tokenizer.ggml.merges"], special))
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[ends["bos"]],
            "eos_token": tokens[ends["eos"]],
            "pad_token": tokens[ends["padding"]],
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT,
        },
    )
    (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    weights = _tensors(Weights(np.random.default_rng(seed)), len(tokens))
    (folder / "model.safetensors").write_bytes(_safetensors(weights))


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _config(vocabulary: int, begin: int, end: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": WIDTH // HEADS,
        "max_position_embeddings": CONTEXT,
        "rope_theta": 10_000_000.0,
        "rms_norm_eps": 1e-5,
        "vocab_size": vocabulary,
        "tie_word_embeddings": True,
        "bos_token_id": begin,
        "eos_token_id": end,
        "dtype": "float32",
    }


def _tokenizer(tokens: list[str], merges: list[str], special: list[int]) -> dict[str, Any]:
    """SmolLM2's own: each digit by itself, then GPT-2's words, in bytes."""
    bytes_of = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": place,
                "content": tokens[place],
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for place in special
        ],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_of],
        },
        "decoder": bytes_of,
        "model": {
            "type": "BPE",
            "vocab": {token: place for place, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }


def _tensors(weights: Weights, vocabulary: int) -> dict[str, NDArray[Any]]:
    found = {
        "model.embed_tokens.weight": weights.matrix(vocabulary, WIDTH),
        "model.norm.weight": weights.ones(WIDTH),
    }
    shapes = {"gate": (FEED_FORWARD, WIDTH), "up": (FEED_FORWARD, WIDTH), "down": (WIDTH, FEED_FORWARD)}
    for layer in range(LAYERS):
        block = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            found[f"{block}.{norm}.weight"] = weights.ones(WIDTH)
        for part in ("q", "k", "v", "o"):
            found[f"{block}.self_attn.{part}_proj.weight"] = weights.matrix(WIDTH, WIDTH)
        for part, (rows, columns) in shapes.items():
            found[f"{block}.mlp.{part}_proj.weight"] = weights.matrix(rows, columns)
    return found


def _safetensors(tensors: dict[str, NDArray[Any]]) -> bytes:
    """The safetensors file: the length of a JSON header, the header, and the numbers in its order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    numbers: list[bytes] = []
    at = 0
    for name, tensor in tensors.items():
        data = tensor.astype("float32").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        numbers.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(numbers)
