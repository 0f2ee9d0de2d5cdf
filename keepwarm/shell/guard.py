"""Who may see the pages, the API and the metrics: this machine's own pages and programs, and whoever shows the key.

A page of the web that a person has open may send requests to this machine too. It is kept out in three ways: by the
name that it called the gateway (a name of its own that it has pointed here: DNS rebinding), by what its browser says of
where a request comes from, and because nothing here is changed by a request (GET only) or may be read by another page.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from keepwarm.config import Config, is_loopback
from keepwarm.shell.neighbour import WANTS_KEY
from keepwarm.views.answers import Fault, Refusal

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""What every answer of these says to browsers."""


class Refused(Exception):
    """A request that gets no answer."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.remedy = remedy


class Guard:
    """The guard of one gateway."""

    def __init__(self, config: Config) -> None:
        self._key = config.key
        self._host = config.host.strip("[]").lower()
        self._names = frozenset(name.lower() for name in config.hosts)
        # Not the key, but what only somebody who has it could make; the same after a restart.
        self._token = hmac.new(config.key.encode(), b"keepwarm ui", hashlib.sha256).hexdigest()

    def check(self, request: web.Request, headers: Mapping[str, str]) -> web.Response | None:
        """None when the request may pass; else the answer that opens the page for a browser. Raises Refused.

        headers  names in lower case
        """
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, f"{request.method} is not understood here", "ask with GET: nothing can be changed here")
        self._check_host(headers.get("host", ""))
        self._check_origin(headers, request.path)
        if not self._key:
            return None
        # Cookies know no ports: gateways on one machine must not take each other's away.
        cookie = f"keepwarm_{headers['host'].rpartition(':')[2]}"
        shown = request.query.get("key") if request.path.rstrip("/") == "/ui" else None
        if shown is not None and _same(shown, self._key):
            response = web.Response(status=303, headers={**HEADERS, "Location": "/ui", "Cache-Control": "no-store"})
            response.set_cookie(cookie, self._token, httponly=True, samesite="Strict", path="/")
            return response
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(_same(one, self._key) for one in (headers.get("x-api-key", ""), bearer)):
            return None
        if shown is None and _same(request.cookies.get(cookie, ""), self._token):
            return None
        said = "this key is not the gateway's" if shown is not None else WANTS_KEY
        remedy = "show the key of keepwarm.toml: in a browser open /ui?key=KEY once, a program sends it as x-api-key"
        raise Refused(401, said, remedy)

    def _check_host(self, host: str) -> None:
        name = _hostname(host)
        if name and (is_loopback(name) or name in (self._host, *self._names)):
            return
        if name and not is_loopback(self._host) and _is_address(name):
            return  # an address cannot be pointed elsewhere, and the key is asked for
        raise Refused(
            421,
            "the gateway is not known by the name that it was called",
            'call it 127.0.0.1 or localhost, or add the name to keepwarm.toml: hosts = ["NAME"]',
        )

    def _check_origin(self, headers: Mapping[str, str], path: str) -> None:
        site, origin = headers.get("sec-fetch-site", ""), headers.get("origin")
        # A link that a person follows to the page shows them the page, and shows the other page nothing.
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        to_page = path == "/ui" or path.startswith("/ui/")
        foreign = site in ("cross-site", "same-site") and not (followed and to_page)
        if origin is not None:
            try:
                foreign = foreign or urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
            except ValueError:
                foreign = True
        if foreign:
            raise Refused(403, "another site's page may not ask here", "open the gateway's own page: /ui")


def refusal(refused: Refused) -> web.Response:
    """The answer to a request that was refused."""
    body = msgspec.json.encode(Refusal(Fault(refused.message, refused.remedy)))
    return web.Response(
        status=refused.status,
        body=body,
        content_type="application/json",
        headers={**HEADERS, "Cache-Control": "no-store", **({"Allow": "GET, HEAD"} if refused.status == 405 else {})},
    )


def _same(shown: str, known: str) -> bool:
    # Bytes that are no UTF-8 arrive as surrogates.
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), known.encode("utf-8", "surrogateescape"))


def _hostname(host: str) -> str:
    """The name in a Host header, in lower case; "" for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").removesuffix(".") if not parts.username and parts.port != 0 else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
