"""The dashboard: the files of `keepwarm/views/web` at /ui, from memory.

Only names that stand in the package's own folder are known, so that no path leads out of it. A browser asks each time
whether a file is still the same and is told so by its digest: a new keepwarm shows its own page at once. What else
browsers must know of it the guard says (`shell/guard.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec
import xxhash
from aiohttp import web

TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""Content types by the ending of a name; a licence has none."""
PAGE: Final = "index.html"


class Asset(msgspec.Struct, frozen=True):
    """A file of the page."""

    body: bytes
    type: str
    tag: str
    """Its ETag, quoted: the digest of the bytes."""


def add(application: web.Application) -> None:
    """Put the page into the routes."""
    application.router.add_get("/ui", _page)
    application.router.add_get("/ui/{name:.*}", _asset)


@cache
def assets() -> Mapping[str, Asset]:
    """The files of the page by their path in its folder: "index.html", "vendor/uplot/LICENSE"."""
    return dict(_read(files("keepwarm") / "views" / "web", ""))


def _read(folder: Traversable, within: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{within}{entry.name}/")
            continue
        kind = TYPES.get(entry.name.partition(".")[2].rpartition(".")[2])
        if kind is not None:
            body = entry.read_bytes()
            yield f"{within}{entry.name}", Asset(body, kind, f'"{xxhash.xxh3_64_hexdigest(body)}"')


async def _page(request: web.Request) -> web.Response:
    return _answer(request, PAGE)


async def _asset(request: web.Request) -> web.Response:
    return _answer(request, request.match_info["name"] or PAGE)


def _answer(request: web.Request, name: str) -> web.Response:
    asset = assets().get(name)
    if asset is None:
        raise web.HTTPNotFound(text=f"the dashboard has no file {name!r}: it begins at /ui")
    headers = {"Cache-Control": "no-cache", "ETag": asset.tag}
    shown = request.headers.get("If-None-Match", "")
    if asset.tag in [tag.strip().removeprefix("W/") for tag in shown.split(",")]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, headers={**headers, "Content-Type": asset.type})
