"""Who may see the pages, the API and the metrics, and who is kept out."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from yarl import URL

from keepwarm.config import Config, check, override
from keepwarm.errors import ConfigError
from keepwarm.shell.api import covers
from keepwarm.shell.guard import HEADERS
from tests.shell.conftest import OpenGateway, OpenStub

KEY = "a-key-of-the-gateway"
PATHS = ("/api/live", "/metrics")


async def status(http: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with http.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}) as answer:
        if answer.status >= 400:
            error = (await answer.json())["error"]
            assert error["message"]
            assert error["remedy"]
        return answer.status


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/ui", True),
        ("/ui/app.js", True),
        ("/metrics", True),
        ("/api/live", True),
        ("/api/requests/last/diff", True),
        ("/api/openapi.json", True),
        ("/api/hello", False),
        ("/api/event_logging/batch", False),
        ("/v1/messages", False),
        ("/", False),
        ("/uid", False),
    ],
)
def test_what_stands_behind_the_guard(path: str, inside: bool) -> None:
    assert covers(path) is inside


async def test_this_machine_may_look(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    port = URL(gateway.url).port
    for path in PATHS:
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "127.0.0.2", "LOCALHOST"):
            assert await status(http, gateway.url + path, host=host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "192.168.1.5", "a@127.0.0.1", ""]
)
async def test_a_name_that_was_pointed_here_is_refused(
    host: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    """DNS rebinding: the browser believes that it asks the page's own site."""
    gateway = await open_gateway((await open_stub()).url)
    for path in PATHS:
        assert await status(http, gateway.url + path, host=host) == 421


async def test_a_name_in_the_settings_may_be_used(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, hosts=("Box.lan",))
    assert await status(http, gateway.url + "/api/live", host="box.lan:8787") == 200
    assert await status(http, gateway.url + "/api/live", host="other.lan:8787") == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://[broken"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
    ],
)
async def test_another_sites_page_may_not_ask(
    headers: dict[str, str], open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    for path in PATHS:
        assert await status(http, gateway.url + path, **headers) == 403


async def test_the_gateways_own_page_may_ask(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    for headers in ({"origin": gateway.url, "sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}):
        assert await status(http, gateway.url + "/api/live", **headers) == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_can_be_changed(
    method: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    async with http.request(method, gateway.url + "/api/live") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


async def test_what_every_answer_says_to_browsers(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    for path in ("/api/live", "/metrics", "/api/requests/none", "/api/events"):
        async with http.get(gateway.url + path, headers={"origin": gateway.url}) as answer:
            assert HEADERS.items() <= dict(answer.headers).items()
            assert "script" not in answer.headers["Content-Security-Policy"]
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("headers", [{"x_api_key": KEY}, {"authorization": f"Bearer {KEY}"}])
async def test_a_program_shows_the_key(
    headers: dict[str, str], open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, key=KEY)
    for path in PATHS:
        assert await status(http, gateway.url + path, **headers) == 200


@pytest.mark.parametrize("headers", [{}, {"x_api_key": KEY[:-1]}, {"x_api_key": ""}, {"authorization": KEY + "x"}])
async def test_without_the_key_nobody_sees_anything(
    headers: dict[str, str], open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, key=KEY)
    for path in (*PATHS, "/ui", "/api/events", "/api/openapi.json"):
        assert await status(http, gateway.url + path, **headers) == 401


async def test_a_browser_shows_the_key_once(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url, key=KEY)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(gateway.url + f"/ui?key={KEY}", allow_redirects=False) as opened:
            assert (opened.status, opened.headers["Location"]) == (303, "/ui")
            said = opened.headers["Set-Cookie"]
            assert "HttpOnly" in said
            assert "SameSite=Strict" in said
            assert KEY not in said
        for path in PATHS:
            assert await status(browser, gateway.url + path) == 200


async def test_a_wrong_key_opens_nothing_and_is_not_said_again(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, key=KEY)
    async with http.get(gateway.url + "/ui?key=guessed", allow_redirects=False) as answer:
        assert answer.status == 401
        assert "guessed" not in await answer.text()
        assert "Set-Cookie" not in answer.headers
    for made_up in ("", "guessed", KEY):
        cookie = f"keepwarm_{URL(gateway.url).port}={made_up}"
        assert await status(http, gateway.url + "/api/live", cookie=cookie) == 401
    async with http.get(gateway.url + f"/api/live?key={KEY}") as answer:
        assert answer.status == 401, "only the page takes it in its address"


async def test_an_address_that_others_can_reach_needs_a_key(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(ConfigError, match="set a key"):
        check(override(Config(), host="0.0.0.0"))
    gateway = await open_gateway((await open_stub()).url, host="0.0.0.0", key=KEY)
    url = f"http://127.0.0.1:{URL(gateway.url).port}/api/live"
    assert await status(http, url, host="192.168.1.5:8787") == 401
    assert await status(http, url, host="192.168.1.5:8787", x_api_key=KEY) == 200
    assert await status(http, url, host="evil.example", x_api_key=KEY) == 421


async def test_a_request_without_a_host_is_refused(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url)
    with socket.create_connection(("127.0.0.1", URL(gateway.url).port or 0)) as raw:
        raw.setblocking(False)
        import asyncio

        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, b"GET /api/live HTTP/1.0\r\n\r\n")
        assert b" 421 " in (await loop.sock_recv(raw, 4096)).splitlines()[0]
