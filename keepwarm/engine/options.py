"""How the embedded engine is to run: values only, sent to the child process as one JSON line."""

from __future__ import annotations

from pathlib import Path

import msgspec


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What llama.cpp's server is started with. Everything but `model` has llama.cpp's default or one fit for a single
    user."""

    model: Path
    """The GGUF file."""
    context: int = 0
    """Tokens of context of all slots together: each slot gets context / slots. 0 = what the model was trained for,
    per slot."""
    slots: int = 1
    """How many conversations are held at once (llama.cpp's n_parallel)."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 0
    """The port to listen on; 0 = a free one, see `Engine.url`."""
    threads: int | None = None
    """Threads to compute with; None = llama.cpp chooses."""
    cache_ram_mib: int = 8192
    """Host cache for the KV of conversations that lost their slot, in MiB; 0 = off, -1 = no limit. 8192 is
    llama.cpp's default."""
    unified: bool = False
    """One KV cache for all slots (`--kv-unified`), of which each may take all; idle ones are then emptied into the host
    cache. llama-server does that where it is started without `--parallel`."""
    checkpoints: int | None = None
    """Context checkpoints a slot keeps of a memory that cannot go back (sliding window, hybrid, recurrent); 0 = none,
    None = llama.cpp's 32."""
    swa_full: bool = False
    """Keep all of a sliding-window model's cache instead of the window alone: more memory, and it can go back."""
    cache_reuse: int = 0
    """Least tokens of a chunk that is reused at another position behind an edit (`--cache-reuse`); 0 = off."""
    cache_prompt: bool = True
    """Reuse what is in the slot for requests that do not say (`cache_prompt`) whether they want it."""
    context_shift: bool = False
    """Drop the older half of a full context while generating instead of stopping (`--context-shift`)."""
    slot_save_path: Path | None = None
    """A folder for POST /slots/N?action=save and restore; None = these actions are refused."""
    chat_template: str | None = None
    """Jinja text used instead of the model's own template; None = the model's own."""
    template_kwargs: dict[str, bool | int | str] = msgspec.field(default_factory=dict)
    """Values every request's template sees unless the request says otherwise (`chat_template_kwargs`)."""
    alias: str | None = None
    """The name /v1/models shows; None = the model's path."""
    log_file: Path | None = None
    """Where the engine's own log goes, appended; None = only its end is kept, for error messages."""
    verbosity: int | None = None
    """What its log tells; None = llama.cpp's 3. From 4 on it tells of checkpoints and "forcing full prompt
    re-processing"."""
    show_slots: bool = True
    """Answer GET /slots (`--no-slots` shuts it)."""
    show_prompts: bool = False
    """Show in /slots which prompt each slot holds (LLAMA_SERVER_SLOTS_DEBUG): for measuring, not for serving."""
    start_timeout: float = 120.0
    """Seconds after which a start is given up."""


def encode_options(options: EngineOptions) -> bytes:
    """`options` as JSON without a line break, for the child process."""
    return msgspec.json.encode(options, enc_hook=str)


def decode_options(line: bytes) -> EngineOptions:
    """The other end of encode_options; msgspec.ValidationError when the line is not that."""
    return msgspec.json.decode(line, type=EngineOptions, dec_hook=_path_of)


def _path_of(kind: type, value: object) -> object:
    # Path is the one type among the fields that JSON does not know.
    return kind(value)
