"""Every error keepwarm raises on purpose, drawn once, with whose fault it is and what to do.

KeepwarmError
├── ClientError        the caller's request cannot be used           (HTTP 4xx, `error_status_hint`)
│   ├── BadJson        the body is not the JSON the protocol asks for
│   └── TooLarge       the body is over the limit
├── UpstreamError      the model server refused, failed or went away (its status is kept)
├── ConfigError        keepwarm.toml or the command line says something that cannot be
├── EngineError        the embedded engine cannot start or has stopped
├── MissingExtra       an optional part is not installed
├── SettingsError      an agent's settings file cannot be read or edited
├── AgentError         an agent or its gateway cannot be started
│   └── AddressTaken   something else listens where the gateway is looked for
└── LedgerError        the ledger file cannot be used
"""

from __future__ import annotations


class KeepwarmError(Exception):
    """The root: its text is one sentence for a person, saying what to do."""

    error_status_hint: int = 500


class ClientError(KeepwarmError):
    """The caller's request cannot be used as it is; `path` is the JSON pointer of the fault when one is known."""

    error_status_hint = 400

    def __init__(self, message: str, *, path: str = "", status: int | None = None, kind: str | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.kind = kind
        if status is not None:
            self.error_status_hint = status


class BadJson(ClientError):
    """The body is not JSON, or not of the type the protocol names."""


class TooLarge(ClientError):
    """The body is over the limit."""

    error_status_hint = 413


class UpstreamError(KeepwarmError):
    """The model server refused, failed or went away."""

    error_status_hint = 502


class ConfigError(KeepwarmError):
    """The configuration says something that cannot be."""


class EngineError(KeepwarmError):
    """The embedded engine cannot start or has stopped."""


class MissingExtra(KeepwarmError):
    """An optional part of keepwarm is not installed: `what` needs it, `extra` brings it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: install it with  pip install '{extra}'")
        self.what = what
        self.extra = extra


class SettingsError(KeepwarmError):
    """An agent's settings file cannot be read or edited; `line` and `column` (from 1) when the fault has a place."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class AgentError(KeepwarmError):
    """An agent or the gateway in front of it cannot be started."""


class AddressTaken(AgentError):
    """Something else listens where the gateway is looked for; `wants_key` when it is a keepwarm that wants its key."""

    def __init__(self, message: str, *, wants_key: bool = False) -> None:
        super().__init__(message)
        self.wants_key = wants_key


class LedgerError(KeepwarmError):
    """The ledger file cannot be used."""
