"""The gateway as another process sees it: whether one listens at an address, what it stands in front of, its end.

`keepwarm run` starts a gateway where none listens and shares one where there is. Whoever uses it holds a lock; the
last one to let go ends a gateway that a run has started. A gateway that a person has started is never ended.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from keepwarm.clients.api import Door
from keepwarm.config import Config, is_loopback
from keepwarm.errors import AddressTaken, AgentError

try:
    import fcntl
except ImportError:  # Windows has none: there each run ends the gateway that it has started
    fcntl = None  # type: ignore[assignment]

WANTS_KEY: Final = "this gateway wants its key"
"""What a gateway says to whoever does not show it: by that it is told from other programs that want a key."""
_ASK_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 35.0
"""A gateway lets requests in flight end for 30."""


class Neighbour(msgspec.Struct, frozen=True):
    """A keepwarm that listens."""

    url: str
    pid: int
    upstream: str
    """The model server's address."""
    ready: bool
    """Whether the model server answers."""
    kind: str = ""
    model: str = ""
    context: int | None = None
    first_party: bool = False
    version: str = ""

    def door(self, key: str, model: str) -> Door:
        """As an agent is pointed at it. `model` is the user's word for the model; "" when there is none."""
        return Door(self.url, model or self.model, self.context, key, is_nearby(self.upstream), self.first_party)


def address(config: Config) -> str:
    """Where the settings have the gateway: a host that stands for all is reached by loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(config.host, config.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def is_nearby(url: str) -> bool:
    """Whether a model server is on this machine or in its network: not one that sells answers."""
    host = urlsplit(url).hostname or ""
    return is_loopback(host) or "." not in host or host.endswith((".local", ".lan", ".internal")) or _is_private(host)


def _is_private(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def find(url: str, key: str = "") -> Neighbour | None:
    """The keepwarm at an address; None when nothing listens there.

    Raises AddressTaken when something else does, or a keepwarm that wants another key; the key is shown to no other.
    """
    try:
        status, said = ask(url, "/health")
        if key and _wants_key(status, said):
            status, said = ask(url, "/health", key)
    except (TimeoutError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
        status, said = 0, {}
    except OSError:
        return None
    if said.get("service") != "keepwarm":
        wants_key = _wants_key(status, said)
        why = (
            "it wants a key: set KEEPWARM_KEY to it, or key in keepwarm.toml"
            if wants_key
            else "it is no keepwarm (or an older one): choose another port with --port"
        )
        raise AddressTaken(f"something listens at {url}, but {why}", wants_key=wants_key)
    context = said.get("context")
    model = str(said.get("model") or "") or (_first_model(url, key) if status == 200 else "")
    return Neighbour(
        url,
        int(said.get("pid") or 0),
        str(said.get("upstream") or ""),
        status == 200,
        str(said.get("kind") or ""),
        model,
        context if isinstance(context, int) else None,
        said.get("first_party") is True,
        str(said.get("version") or ""),
    )


def _wants_key(status: int, said: Mapping[str, Any]) -> bool:
    return status == 401 and WANTS_KEY in str(said)


def _first_model(url: str, key: str) -> str:
    """Of a server with several models the first: the one that it names first is as a rule the one that is loaded."""
    with contextlib.suppress(OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
        rows = ask(url, "/v1/models", key)[1].get("data")
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            return str(rows[0].get("id") or "")
    return ""


def ask(url: str, path: str, key: str = "") -> tuple[int, Mapping[str, Any]]:
    """(status, JSON object) of a GET, never by way of a proxy. Raises OSError, HTTPException and DecodeError."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", path, headers={"x-api-key": key} if key else {})
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read(), type=dict[str, Any])
    except msgspec.ValidationError:  # JSON, but no object
        return 0, {}
    finally:
        connection.close()


def free_port(host: str) -> int:
    """A port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


class Hold:
    """One user of a gateway, by a shared lock on a file. Use it with `with`: the last one ends the gateway."""

    def __init__(self, folder: Path, port: int) -> None:
        self._path = folder / f"gateway-{port}.lock"
        self.log = folder / f"gateway-{port}.log"
        """Where a gateway that is started here writes."""
        self._descriptor = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._private = False
        self._url = self._key = ""

    def __enter__(self) -> Hold:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if fcntl is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        except OSError as error:
            raise AgentError(f"{self._path} cannot be made ({error.strerror}): name another --ledger") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._private or self._is_last():
                self._end()
        finally:
            os.close(self._descriptor)

    def start(self, url: str, key: str, arguments: Sequence[str], private: bool) -> Neighbour:
        """A gateway of a process of its own, listening.

        arguments  of `keepwarm serve`
        private    nobody else finds it: it ends with this hold. Else it goes on while others hold it.

        Raises AgentError with what the gateway said when it could not start.
        """
        self._url, self._key, self._private = url, key, private
        with open(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            # A session of its own: Ctrl-C in this terminal is the agent's.
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "keepwarm", "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            )
        while process.poll() is None:
            with contextlib.suppress(AgentError):
                found = find(url, key)
                if found is not None and found.pid == process.pid:
                    if not private:  # not before: another run's gateway may have the port
                        os.ftruncate(self._descriptor, 0)
                        os.lseek(self._descriptor, 0, os.SEEK_SET)
                        os.write(self._descriptor, str(process.pid).encode())
                    return found
            time.sleep(_LOOK_SECONDS)
        raise AgentError(self._last_words())

    def _last_words(self) -> str:
        said = self.log.read_text("utf-8", errors="replace").strip().removeprefix("keepwarm: ")
        return said or f"the gateway ended at once: see {self.log}"

    def _is_last(self) -> bool:
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _end(self) -> None:
        """End the gateway that a run has started, this one or another."""
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if not self._private:
                os.ftruncate(self._descriptor, 0)
            return
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        number = int(os.read(self._descriptor, 32) or b"0")
        os.ftruncate(self._descriptor, 0)
        # The number may be another program's by now: only the gateway itself can say that it is its own.
        with contextlib.suppress(AgentError, OSError):
            there = find(self._url, self._key) if number and self._url else None
            if there is not None and there.pid == number:
                os.kill(number, signal.SIGTERM)
                # The lock is held until it is gone, so that no run shares a gateway that is about to end.
                until = time.monotonic() + _END_SECONDS
                while find(self._url, self._key) is not None and time.monotonic() < until:
                    time.sleep(_LOOK_SECONDS)

    def share(self, url: str, key: str) -> None:
        """Use the gateway at `url`, which somebody else has started."""
        self._url, self._key, self._process = url, key, None
