"""The dashboard's files: what they are, how they are kept, and that nothing else can be had by their route."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from keepwarm.shell import ui
from tests.shell.conftest import OpenGateway, OpenStub

TEXTS = {name: asset.body.decode() for name, asset in ui.assets().items()}
OURS = {name: text for name, text in TEXTS.items() if not name.startswith("vendor/")}


@pytest.fixture
async def url(open_gateway: OpenGateway, open_stub: OpenStub) -> str:
    stub = await open_stub()
    return (await open_gateway(stub.url)).url


async def test_every_file_is_served_with_its_type(url: str, http: aiohttp.ClientSession) -> None:
    assert {"index.html", "main.js", "tokens.css", "vendor/uplot/uPlot.esm.js", "vendor/uplot/LICENSE"} <= TEXTS.keys()
    for name, asset in ui.assets().items():
        async with http.get(f"{url}/ui/{name}") as response:
            assert response.status == 200, name
            assert await response.read() == asset.body
            assert response.headers["Content-Type"] == asset.type
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/ui", "/ui/"])
async def test_the_page_is_at_both_addresses(url: str, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(f"{url}{path}") as response:
        assert response.status == 200
        assert "<title>keepwarm</title>" in await response.text()


async def test_a_file_that_the_browser_has_is_not_sent_again(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/ui/main.js") as response:
        tag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "no-cache"
    for shown in (tag, f"W/{tag}", f'"other", {tag}'):
        async with http.get(f"{url}/ui/main.js", headers={"If-None-Match": shown}) as response:
            assert (response.status, await response.read()) == (304, b"")
            assert response.headers["ETag"] == tag
    async with http.get(f"{url}/ui/main.js", headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/ui/../config.py",
        "/ui/%2e%2e/__init__.py",
        "/ui/..%2f..%2f__init__.py",
        "/ui//etc/passwd",
        "/ui/%2fetc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_folder(url: str, path: str) -> None:
    # By hand: a client would tidy the path up before it asks.
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.split(" ")[1] == "404"
    assert "root:" not in answer
    assert "import annotations" not in answer


async def test_a_file_that_is_not_there_is_said_to_be_none(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/ui/nothing.js") as response:
        assert response.status == 404
        assert "/ui" in await response.text()


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = TEXTS["index.html"]
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert "<style" not in page
    assert re.findall(r"\s(?:style|on\w+)\s*=", page) == []


def test_nothing_is_asked_of_another_host() -> None:
    named = {name: re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text) for name, text in OURS.items()}
    assert {name: found for name, found in named.items() if found} == {"icon.svg": ["http://www.w3.org"]}
    for name, text in TEXTS.items():
        if name.endswith((".html", ".css", ".js")):
            assert not re.search(r"""(?:src=|href=|url\(|import\(|from )\s*["'](?:https?:)?//""", text), name


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r'(?:src|href)="/ui/([^"]+)"', TEXTS["index.html"]):
        assert name in TEXTS
    for name, text in OURS.items():
        folder = name.rpartition("/")[0]
        for path in re.findall(r'^import .*"(\.[^"]+)";$', text, re.MULTILINE):
            parts = [part for part in folder.split("/") if part]
            for part in path.split("/"):
                if part == "..":
                    parts.pop()
                elif part != ".":
                    parts.append(part)
            assert "/".join(parts) in TEXTS, f"{name} imports {path}"


def test_files_keep_to_the_budget_of_the_house() -> None:
    assert {name: text.count("\n") for name, text in OURS.items() if text.count("\n") > 400} == {}
