"""The shapes a tiny model can have: one for each kind of memory that llama.cpp keeps of a prompt.

    full       llama: a KV cache of every token, which can be cut anywhere
    swa        gemma3: every other layer keeps only a window of 128 tokens (llama.cpp keeps window + one micro batch,
               rounded up: 768 tokens), so a prompt can be cut only that far back
    hybrid     granitehybrid: a Mamba-2 layer, whose state is only that of the last token, and an attention layer
    recurrent  mamba: nothing but states of the last token

What cannot be cut comes back from a context checkpoint, or is processed again from the first token. Weights are
random; what is measured is the cache, and that is the server's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Memory: TypeAlias = Literal["full", "swa", "hybrid", "recurrent"]
Tensors: TypeAlias = Iterator[tuple[str, Any]]

LAYERS: Final = 2
WIDTH: Final = 64
HEADS: Final = 2
HEAD: Final = WIDTH // HEADS
FEED_FORWARD: Final = 128
WINDOW: Final = 128
"""Tokens a sliding-window layer looks back on."""
_INNER: Final = 128
"""Width inside a Mamba layer."""
_STATE: Final = 16
_KERNEL: Final = 4
_RANK: Final = 4
"""Mamba: rank of the time step. Mamba-2: heads."""


class Shape(msgspec.Struct, frozen=True):
    """One architecture of llama.cpp, two layers of it."""

    architecture: str
    describe: Callable[[Any], None]
    """Writes the fields of the architecture with a gguf.GGUFWriter."""
    tensors: Callable[[Weights, int], Tensors]
    """Every tensor by llama.cpp's names, for a vocabulary of so many tokens."""


class Weights:
    """Random weights, the same for the same generator."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random

    def matrix(self, rows: int, columns: int) -> NDArray[Any]:
        """16-bit floats around zero."""
        return (self._random.standard_normal((rows, columns)) * 0.05).astype("float16")

    def exact(self, *shape: int) -> NDArray[Any]:
        """32-bit floats around zero, for what llama.cpp does not take in 16 bits."""
        return (self._random.standard_normal(shape) * 0.05).astype("float32")

    def ones(self, *shape: int) -> NDArray[Any]:
        """A norm's weights, or a factor's."""
        import numpy as np

        return np.ones(shape, dtype=np.float32)

    def decay(self, count: int) -> NDArray[Any]:
        """How fast a state forgets, as Mamba begins with: -1, -2, -3 ..."""
        import numpy as np

        return -np.arange(1, count + 1, dtype=np.float32)


# Parts that shapes share


def _attention_fields(writer: Any, heads_kv: int | list[int]) -> None:
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(heads_kv)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(10_000_000.0)
    writer.add_layer_norm_rms_eps(1e-5)


def _mamba_fields(writer: Any) -> None:
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_RANK)


def _attention(weights: Weights, block: str) -> Tensors:
    for part in ("q", "k", "v", "output"):
        yield f"{block}.attn_{part}.weight", weights.matrix(WIDTH, WIDTH)


def _feed_forward(weights: Weights, block: str) -> Tensors:
    yield f"{block}.ffn_gate.weight", weights.matrix(FEED_FORWARD, WIDTH)
    yield f"{block}.ffn_up.weight", weights.matrix(FEED_FORWARD, WIDTH)
    yield f"{block}.ffn_down.weight", weights.matrix(WIDTH, FEED_FORWARD)


def _norms(weights: Weights, block: str, *names: str) -> Tensors:
    for name in names:
        yield f"{block}.{name}.weight", weights.ones(WIDTH)


# llama


def _llama_fields(writer: Any) -> None:
    _attention_fields(writer, HEADS)


def _llama(weights: Weights, vocabulary: int) -> Tensors:
    yield "token_embd.weight", weights.matrix(vocabulary, WIDTH)
    yield "output_norm.weight", weights.ones(WIDTH)
    yield "output.weight", weights.matrix(vocabulary, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield from _norms(weights, block, "attn_norm", "ffn_norm")
        yield from _attention(weights, block)
        yield from _feed_forward(weights, block)


# gemma3


def _gemma3_fields(writer: Any) -> None:
    _attention_fields(writer, HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_sliding_window(WINDOW)
    # Every second layer looks at everything; the real one's pattern is 6.
    writer.add_sliding_window_pattern(LAYERS)


def _gemma3(weights: Weights, vocabulary: int) -> Tensors:
    yield "token_embd.weight", weights.matrix(vocabulary, WIDTH)
    yield "output_norm.weight", weights.ones(WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield from _norms(weights, block, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        for part in ("q", "k"):
            yield f"{block}.attn_{part}_norm.weight", weights.ones(HEAD)
        yield from _attention(weights, block)
        yield from _feed_forward(weights, block)


# granitehybrid: the first layer is Mamba-2 (no KV heads), the second attention


def _granite_fields(writer: Any) -> None:
    _attention_fields(writer, [0, HEADS])
    _mamba_fields(writer)
    writer.add_ssm_group_count(1)


def _granite(weights: Weights, vocabulary: int) -> Tensors:
    yield "token_embd.weight", weights.matrix(vocabulary, WIDTH)
    yield "output_norm.weight", weights.ones(WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield from _norms(weights, block, "attn_norm", "ffn_norm")
        yield from _feed_forward(weights, block)
        yield from _attention(weights, block) if layer else _mamba2(weights, block)


def _mamba2(weights: Weights, block: str) -> Tensors:
    rolled = _INNER + 2 * _STATE
    yield f"{block}.ssm_in.weight", weights.matrix(_INNER + rolled + _RANK, WIDTH)
    yield f"{block}.ssm_conv1d.weight", weights.exact(rolled, _KERNEL)
    yield f"{block}.ssm_conv1d.bias", weights.exact(rolled)
    yield f"{block}.ssm_dt.bias", weights.exact(_RANK)
    yield f"{block}.ssm_a", weights.decay(_RANK).reshape(_RANK, 1)
    yield f"{block}.ssm_d", weights.ones(_RANK, 1)
    yield f"{block}.ssm_norm.weight", weights.ones(1, _INNER)
    yield f"{block}.ssm_out.weight", weights.matrix(WIDTH, _INNER)


# mamba


def _mamba_only_fields(writer: Any) -> None:
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    _mamba_fields(writer)


def _mamba(weights: Weights, vocabulary: int) -> Tensors:
    yield "token_embd.weight", weights.matrix(vocabulary, WIDTH)
    yield "output_norm.weight", weights.ones(WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        yield from _norms(weights, block, "attn_norm")
        yield f"{block}.ssm_in.weight", weights.matrix(2 * _INNER, WIDTH)
        yield f"{block}.ssm_conv1d.weight", weights.exact(_INNER, _KERNEL)
        yield f"{block}.ssm_conv1d.bias", weights.exact(_INNER)
        yield f"{block}.ssm_x.weight", weights.matrix(_RANK + 2 * _STATE, _INNER)
        yield f"{block}.ssm_dt.weight", weights.matrix(_INNER, _RANK)
        yield f"{block}.ssm_dt.bias", weights.exact(_INNER)
        yield f"{block}.ssm_a", weights.decay(_STATE).reshape(1, _STATE).repeat(_INNER, axis=0)
        yield f"{block}.ssm_d", weights.ones(_INNER)
        yield f"{block}.ssm_out.weight", weights.matrix(WIDTH, _INNER)


SHAPES: Final[dict[Memory, Shape]] = {
    "full": Shape("llama", _llama_fields, _llama),
    "swa": Shape("gemma3", _gemma3_fields, _gemma3),
    "hybrid": Shape("granitehybrid", _granite_fields, _granite),
    "recurrent": Shape("mamba", _mamba_only_fields, _mamba),
}
"""Every shape there is."""
