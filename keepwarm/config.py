"""keepwarm.toml and the command line as one frozen value. Modules below get single values, never this object.

[upstream]                    [rules]                      [ledger]
url = "http://127.0.0.1:8080" level = "meaning"            path = "~/.local/share/keepwarm/ledger.sqlite"
kind = "llamacpp"             off = ["VOL002"]             record = false

[upstream.rules]              [clients.qwen-code]          [clients."claude-cli/2.1.39*"]
level = "order"               on = ["VOL002"]              hold_tools = true

Each field has its sentence underneath: `keepwarm docs` makes the page about settings from them (`views/site.py`).
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from keepwarm.errors import ConfigError
from keepwarm.exchange.routing import Ways
from keepwarm.ledger.glance import default_path
from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.mrk003 import reads_marks
from keepwarm.rules.sea002 import HEADERS as AFFINITY_HEADERS
from keepwarm.rules.shelf import Shelf, Table

DEFAULT_PORT = 8787
LOCAL_PORTS = ((8080, "llama.cpp or mlx-lm"), (8000, "vLLM"), (30000, "SGLang"), (11434, "Ollama"), (1234, "LM Studio"))
"""Where model servers listen when nobody says otherwise."""


class RuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules are applied. `[rules]` is for everybody; `[upstream.rules]` says more for this server, and
    `[clients.NAME]` for the programs that name themselves so in their User-Agent: `qwen-code`, or
    `"claude-cli/2.1.39*"` with a version; `*` stands for any letters. The last word on a rule counts, the name that
    says most last.
    """

    level: Literal["", "exact", "order", "meaning"] = ""
    """The highest safety level that is applied. Empty: what a more general table says, and `meaning` in the end."""
    off: tuple[str, ...] = ()
    """Rules that are not applied, by their codes; they are still named where they are the cause."""
    on: tuple[str, ...] = ()
    """Rules that are applied whatever their level, and those that are off unless they are asked for."""
    hold_tools: bool | None = None
    """Whether a tool that comes in the middle of a conversation is held back until the prompt's head changes
    anyway (by ORD002, so from level `order` on). Unset: what a more general table says, and `false` in the end."""


class UpstreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model server."""

    url: str = ""
    """Its address. Empty: the usual local ports are tried."""
    kind: Literal["", "llamacpp", "anthropic", "chat"] = ""
    """How it is spoken to. Empty: it is asked."""
    model: str = ""
    """The model to ask it for. Empty: the client's word."""
    key: str = ""
    """Its API key. Empty: the client's key goes on."""
    rewrite: bool | None = None
    """Whether prompts may be rewritten. Unset: yes, but never towards Anthropic itself, Bedrock or Vertex."""
    slots: bool = True
    """Whether conversations get slots of their own where the server has them."""
    cache_key: bool | None = None
    """Whether a key that names the conversation is sent when the client sends none (KEY002). Unset: where the server is
    known to route by it. `true`: as `prompt_cache_key`, whatever the server is."""
    markers: bool | None = None
    """Whether it keeps what cache markers (`cache_control`) say, and nothing else (MRK003). Unset: for Anthropic,
    Bedrock, Vertex and OpenRouter."""
    affinity_headers: tuple[str, ...] = AFFINITY_HEADERS
    """Headers that name the conversation to a balancer in front of the servers (SEA002)."""
    rules: RuleSettings = RuleSettings()
    """Which rules are applied towards it."""


class LedgerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down of each request."""

    path: str = ""
    """The file. Empty: `keepwarm/ledger.sqlite` in the user's data folder (`XDG_DATA_HOME`, `~/.local/share`)."""
    record: bool = False
    """Whether prompt texts are kept, each segment once, compressed."""
    off: bool = False
    """Whether no ledger is kept, and nothing else on disk."""
    journal: bool = True
    """Whether what stands is kept, so that it stands when keepwarm is started anew. It is encrypted: only a client that
    sends the conversation again can open it."""
    keep_days: float = 30.0
    """Days for which what stands is kept after its conversation was used last."""
    records_days: float = 90.0
    """Days for which requests, and their texts where they are recorded, are kept: a conversation goes as a whole when
    it was last used so long ago."""
    keep_bytes: int = 2**30
    """Bytes that what stands may take; the conversations used longest ago go first."""


class AlertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told when a session reuses too little (below 80, 60 and 40 % of its prompts) or a new cause turns up,
    besides the live views."""

    webhook: str = ""
    """An address that alerts are posted to, as JSON with the words under `text`. Empty: none."""
    desktop: bool = False
    """Whether the desktop shows them (by `notify-send` on Linux, `osascript` on macOS)."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of `keepwarm.toml`."""

    upstream: UpstreamSettings = UpstreamSettings()
    """The model server."""
    rules: RuleSettings = RuleSettings()
    """Which rules are applied."""
    clients: dict[str, RuleSettings] = {}
    """Which rules are applied for one kind of client, by its name."""
    ledger: LedgerSettings = LedgerSettings()
    """What is written down."""
    alerts: AlertSettings = AlertSettings()
    """Who is told of what a person should know."""
    engine: str = ""
    """A GGUF file to serve with the embedded engine, or `demo`."""
    engine_slots: int = 4
    """Conversations that the embedded engine holds at a time."""
    engine_context: int = 0
    """Tokens in all slots together. 0: what the model was made for."""
    host: str = "127.0.0.1"
    """Where to listen; anything but loopback needs a key."""
    port: int = DEFAULT_PORT
    """Where to listen. 0 takes a free port."""
    hosts: tuple[str, ...] = ()
    """Names of this machine, besides `localhost` and `host`, under which the pages, the API and the metrics may be
    asked for. An unknown name is refused: a page of the web may have pointed it here."""
    key: str = ""
    """What clients must show as their API key; needed when the host is not loopback."""
    keep: bool = True
    """Whether what was sent stands. `false` translates only: for comparison."""
    exact: bool = True
    """Whether the server is asked for its own token ids, after an answer and beside the traffic, where a verdict rests
    on an estimate or something was lost."""
    max_body: int = 64 * 1024 * 1024
    """Bytes that a request may have."""

    def ways(self) -> Ways:
        """How requests find the machine that holds their conversation."""
        to = self.upstream
        return Ways(urlsplit(to.url).hostname or "", to.model, to.cache_key, to.affinity_headers)

    def marks(self) -> bool:
        """Whether the server keeps only what carries a cache marker."""
        return reads_marks(urlsplit(self.upstream.url).hostname or "", self.upstream.markers)

    def shelf(self, others: Iterable[Rule] = ()) -> Shelf:
        """The rule books for every client. Raises ConfigError for a code that no rule has.

        others  rules beside keepwarm's own
        """
        tables = [_table("[rules]", "", self.rules), _table("[upstream.rules]", "", self.upstream.rules)]
        tables += [_table(f"[clients.{_quoted(name)}]", name, said) for name, said in self.clients.items()]
        return Shelf(tables, others)

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return Path(self.ledger.path).expanduser() if self.ledger.path else default_ledger()


def _table(name: str, client: str, said: RuleSettings) -> Table:
    level = Safety[said.level.upper()] if said.level else None
    return Table(name, client, level, said.off, said.on, said.hold_tools)


def _quoted(name: str) -> str:
    """A name as TOML wants it in a table's heading."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def default_ledger() -> Path:
    """`ledger.sqlite` in the user's data folder (XDG_DATA_HOME)."""
    return Path(default_path())


def load(path: Path | None) -> Config:
    """The settings of a file; of `keepwarm.toml` in the current folder when `path` is None and it is there.

    Raises ConfigError naming the file, the line or the setting, and what it may be.
    """
    if path is None:
        path = Path("keepwarm.toml")
        if not path.is_file():
            return Config()
    said: dict[str, Any] = {}
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        return msgspec.convert(said, Config)
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"{path} cannot be read ({why}): name another with --config, or leave it out") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML, mend it there: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explain(str(error), said)}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8, save it so: {error}") from error


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
    if url:
        address_of(url)
    if config.alerts.webhook and not _is_address(config.alerts.webhook):  # it may hold a secret: it is not repeated
        raise ConfigError("alerts.webhook is not an address: write it as https://HOST/PATH")
    for header in config.upstream.affinity_headers:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", header):
            raise ConfigError(
                f"{header!r} in upstream.affinity_headers is no name of a header: use one as X-Session-Id"
            )
    kinds = _type_of(UpstreamSettings, "kind")
    if kind not in get_args(kinds):  # the command line's word: a file's is read with its type
        raise ConfigError(f"there is no upstream kind {kind!r}: use one of {_words(kinds)}")
    for name, value, least in (
        ("engine_slots", config.engine_slots, 1),
        ("engine_context", config.engine_context, 0),
        ("max_body", config.max_body, 1),
        ("ledger.keep_days", config.ledger.keep_days, 0),
        ("ledger.records_days", config.ledger.records_days, 0),
        ("ledger.keep_bytes", config.ledger.keep_bytes, 0),
    ):
        if value < least:
            raise ConfigError(f"{name} is {value}: use {least} or more")
    return config


def address_of(url: str) -> str:
    """`url`, where it is one. Raises ConfigError saying how it is written."""
    if not _is_address(url):
        raise ConfigError(f"{url!r} is not an address: write it as http://127.0.0.1:8080")
    return url


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


def _explain(fault: str, said: Mapping[str, Any]) -> str:
    """What is wrong with a file that says `said`, from msgspec's words for it."""
    if "`$.clients[...]" not in fault:
        return _name(fault, Config)
    for client, settings in said["clients"].items():  # msgspec does not say which client's it is
        try:
            msgspec.convert(settings, RuleSettings)
        except msgspec.ValidationError as error:
            return _name(str(error), RuleSettings, f"clients.{_quoted(client)}")
    return _name(fault, Config)


def _name(fault: str, kind: Any, inside: str = "") -> str:
    """msgspec's words for a wrong setting, with the setting's name in front and what may stand there behind.

    kind, inside  the type that was asked for, and its place in the file
    """
    words, _, place = fault.partition(" - at `$")
    path = place.rstrip("`").lstrip(".")
    where = ".".join(filter(None, (inside, path)))
    for name in filter(None, path.split(".")):
        kind = _type_of(kind, name.partition("[")[0])
    if "unknown field" in words:
        unknown = words.partition("`")[2].rstrip("`")
        there_are = ", ".join(field.name for field in msgspec.structs.fields(kind))
        return f"there is no setting {'.'.join(filter(None, (where, unknown)))}: there are {there_are}"
    use = f": use one of {_words(kind)}" if words.startswith("Invalid enum value") else ""
    return f"{where}: {words[0].lower()}{words[1:]}{use}"
