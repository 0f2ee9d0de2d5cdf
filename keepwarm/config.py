"""keepwarm.toml and the command line as one frozen value. Modules below get single values, never this object.

[upstream]                    [rules]                      [ledger]
url = "http://127.0.0.1:8080" level = "meaning"            path = "~/.local/share/keepwarm/ledger.sqlite"
kind = "llamacpp"             off = ["VOL002"]             record = false
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from keepwarm.errors import ConfigError
from keepwarm.rules.api import Safety

DEFAULT_PORT = 8787
LOCAL_PORTS = ((8080, "llama.cpp or mlx-lm"), (8000, "vLLM"), (30000, "SGLang"), (11434, "Ollama"), (1234, "LM Studio"))
"""Where model servers listen when nobody says otherwise."""


class UpstreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[upstream]"""

    url: str = ""
    """Its address; empty: look at the usual local ports."""
    kind: Literal["", "llamacpp", "anthropic", "chat"] = ""
    """How it is spoken to; empty: ask it."""
    model: str = ""
    """The model to ask it for; empty: the client's word."""
    key: str = ""
    """Its API key; empty: the client's key goes on."""
    rewrite: bool | None = None
    """Whether prompts may be rewritten; unset: yes, but never towards Anthropic itself, Bedrock or Vertex."""
    slots: bool = True
    """Whether conversations get slots of their own where the server has them."""


class RuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[rules]"""

    level: Literal["exact", "order", "meaning"] = "meaning"
    """The highest safety level that is applied."""
    off: tuple[str, ...] = ()
    on: tuple[str, ...] = ()


class LedgerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[ledger]"""

    path: str = ""
    """The file; empty: `default_ledger()`."""
    record: bool = False
    """Whether prompt texts are kept, each segment once, compressed."""
    off: bool = False
    """Keep no ledger, and nothing else on disk."""
    journal: bool = True
    """Whether what stands is kept, so that it stands when keepwarm is started anew. It is encrypted: only a client that
    sends the conversation again can open it."""
    keep_days: float = 30.0
    """What stands goes so long after its conversation was used last."""
    keep_bytes: int = 2**30
    """What stands takes no more than this; the conversations used longest ago go first."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    upstream: UpstreamSettings = UpstreamSettings()
    rules: RuleSettings = RuleSettings()
    ledger: LedgerSettings = LedgerSettings()
    engine: str = ""
    """A GGUF file to serve with the embedded engine, or "demo"."""
    engine_slots: int = 4
    engine_context: int = 0
    """Tokens in all slots together; 0: what the model was made for."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    key: str = ""
    """The key that clients must show; needed when the host is not loopback."""
    keep: bool = True
    """False translates only and keeps nothing: for comparison."""
    max_body: int = 64 * 1024 * 1024
    """Bytes of a request."""

    @property
    def safety(self) -> Safety:
        """The highest safety level of a fix that is applied."""
        return Safety[self.rules.level.upper()]

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return Path(self.ledger.path).expanduser() if self.ledger.path else default_ledger()


def default_ledger() -> Path:
    """`ledger.sqlite` in the user's data folder (XDG_DATA_HOME)."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "keepwarm" / "ledger.sqlite"


def load(path: Path | None) -> Config:
    """The settings of a file; of `keepwarm.toml` in the current folder when `path` is None and it is there.

    Raises ConfigError naming the file, the line or the setting, and what it may be.
    """
    if path is None:
        path = Path("keepwarm.toml")
        if not path.is_file():
            return Config()
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        return msgspec.convert(said, Config)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error))}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}") from error


def override(config: Config, **given: Any) -> Config:
    """`config` with what was given on the command line: dots in names are written "__", None is not given."""
    for name, value in given.items():
        if value is None:
            continue
        part, _, field = name.partition("__")
        if field:
            value = msgspec.structs.replace(getattr(config, part), **{field: value})
        config = msgspec.structs.replace(config, **{part: value})
    return config


def check(config: Config) -> Config:
    """`config`, when it can be served. Raises ConfigError saying what to change."""
    if not is_loopback(config.host) and not config.key:
        raise ConfigError(
            f"{config.host} can be reached from other machines: set a key that clients must show "
            '(key = "..." in keepwarm.toml, or KEEPWARM_KEY), or bind 127.0.0.1'
        )
    if config.upstream.url and config.engine:
        raise ConfigError("both an upstream and an engine are named: leave one out")
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"port {config.port} is not a port: use 0 to 65535")
    url, kind = config.upstream.url, config.upstream.kind
    if url and not _is_address(url):
        raise ConfigError(f"the upstream {url!r} is not an address: write it as http://127.0.0.1:8080")
    kinds = _type_of(UpstreamSettings, "kind")
    if kind not in get_args(kinds):  # the command line's word: a file's is read with its type
        raise ConfigError(f"there is no upstream kind {kind!r}: use one of {_words(kinds)}")
    for name, value, least in (
        ("engine_slots", config.engine_slots, 1),
        ("engine_context", config.engine_context, 0),
        ("max_body", config.max_body, 1),
        ("ledger.keep_days", config.ledger.keep_days, 0),
        ("ledger.keep_bytes", config.ledger.keep_bytes, 0),
    ):
        if value < least:
            raise ConfigError(f"{name} is {value}: use {least} or more")
    return config


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket without its other
        return False


def _type_of(settings: type[msgspec.Struct], name: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(settings) if field.name == name)


def _words(kind: Any) -> str:
    """What a setting of a `Literal` type may be, without the empty word."""
    return ", ".join(word for word in get_args(kind) if word)


def _explain(fault: str) -> str:
    """msgspec's words for a wrong setting, with the setting's name in front and what may stand there behind."""
    said, _, place = fault.partition(" - at `$.")
    where = place.rstrip("`")
    kind: Any = Config
    for name in filter(None, where.split(".")):
        kind = _type_of(kind, name.partition("[")[0])
    if "unknown field" in said:
        unknown = said.partition("`")[2].rstrip("`")
        there_are = ", ".join(field.name for field in msgspec.structs.fields(kind))
        return f"there is no setting {'.'.join(filter(None, (where, unknown)))}: there are {there_are}"
    use = f": use one of {_words(kind)}" if said.startswith("Invalid enum value") else ""
    return f"{where}: {said[0].lower()}{said[1:]}{use}"
