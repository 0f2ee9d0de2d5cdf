"""The JSON API: its document is valid, and every answer is what the document says."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import jsonschema
import pytest
from openapi_spec_validator import validate

from keepwarm.config import AlertSettings
from keepwarm.shell.api import ROUTES
from keepwarm.shell.app import Gateway
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import message_body

LOUD = "Words that nobody but the model may read."


@pytest.fixture
async def gateway(open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession) -> Gateway:
    """A gateway that has served a conversation of two turns and a request that was refused."""
    gateway = await open_gateway((await open_stub(slots=2)).url, key="the-key-of-this-gateway")
    await talk(gateway, http)
    return gateway


async def talk(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    records = Records(gateway)
    headers = {"x-claude-code-session-id": "s1", "user-agent": "claude-cli/2.1.114", "x-api-key": gateway.config.key}
    said: dict[str, Any] = json.loads(message_body(LOUD, system=[{"type": "text", "text": LOUD}], stream=True))
    said["tools"] = [{"name": "Bash", "input_schema": {"type": "object"}}]
    for turn in range(2):
        async with http.post(gateway.url + "/v1/messages", json=said, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()
        said["messages"] += [
            {"role": "assistant", "content": "Hello there."},
            {"role": "user", "content": f"{LOUD} {turn}"},
        ]
    async with http.post(gateway.url + "/v1/messages", data=b"{", headers=headers) as answer:
        assert answer.status == 400
    await records.until(3)
    assert gateway.ledger is not None
    assert gateway.ledger.flush()


async def get(http: aiohttp.ClientSession, gateway: Gateway, path: str) -> tuple[int, Any]:
    async with http.get(gateway.url + path, headers={"x-api-key": gateway.config.key}) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.fixture
async def document(gateway: Gateway, http: aiohttp.ClientSession) -> dict[str, Any]:
    status, document = await get(http, gateway, "/api/openapi.json")
    assert status == 200
    assert isinstance(document, dict)
    return document


def schema(document: dict[str, Any], path: str, status: str = "200") -> dict[str, Any]:
    """The schema of an answer, with what it refers to."""
    found = document["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"]
    return {**found, "components": document["components"]}


async def test_the_document_is_valid_and_names_every_route(document: dict[str, Any]) -> None:
    validate(document)
    assert list(document["paths"]) == [route.path for route in ROUTES]
    for path, said in document["paths"].items():
        assert said["get"]["summary"]
        for parameter in said["get"]["parameters"]:
            assert parameter["description"], f"{path}: {parameter['name']} has no sentence"
    sums = document["components"]["schemas"]["Sums"]["properties"]
    assert "reused" in sums["hit_rate"]["description"]


QUESTIONS = {
    "/api/totals": ["", "?since=1&until=9e9&session=s1"],
    "/api/sessions": ["", "?limit=1", "?before=1", "?since=9e9"],
    "/api/sessions/{name}": ["/api/sessions/s1", "/api/sessions/-"],
    "/api/requests": [
        "",
        "?limit=1&session=s1&kind=main&outcome=hit&client=claude-cli/2.1.114&model=local",
        "?cause=X&lineage=y",
    ],
    "/api/requests/{id}": ["/api/requests/last"],
    "/api/requests/{id}/segments": ["/api/requests/{id}/segments"],
    "/api/requests/{id}/diff": ["/api/requests/{id}/diff"],
    "/api/series": ["?since=0&until=4e9&step=31536000"],
    "/api/costs": ["", "?since=1&session=s1"],
    "/api/live": [""],
    "/api/rules": [""],
    "/api/rules/{code}": ["/api/rules/vol001"],
}


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.answer is not None])
async def test_every_answer_is_what_the_document_says(
    path: str, document: dict[str, Any], gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    _, newest = await get(http, gateway, "/api/requests?limit=1&session=s1&outcome=hit")
    for question in QUESTIONS[path]:
        asked = question if question.startswith("/") else path + question
        status, said = await get(http, gateway, asked.replace("{id}", newest["records"][0]["id"]))
        assert status == 200, said
        jsonschema.Draft202012Validator(schema(document, path)).validate(said)
        text = json.dumps(said)
        assert LOUD not in text, "nothing was recorded"
        assert gateway.config.key not in text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/totals?since=soon", 400, "since"),
        ("/api/totals?sinc=1", 400, "since"),
        ("/api/requests?limit=0", 400, "limit"),
        ("/api/requests?limit=100000", 400, "limit"),
        ("/api/series", 400, "since"),
        ("/api/series?since=0&until=1e10&step=60", 400, "step"),
        ("/api/requests/none-such", 404, "/api/requests"),
        ("/api/requests/none-such/segments", 404, "/api/requests"),
        ("/api/requests?session=none-such", 404, "/api/sessions"),
        ("/api/sessions/none-such", 404, "/api/sessions"),
        ("/api/rules/NONE", 404, "/api/rules"),
        ("/api/requests/a/b/c", 404, "openapi"),
        ("/api/totals/more", 404, "openapi"),
    ],
)
async def test_an_error_says_what_to_do(
    path: str, status: int, words: str, document: dict[str, Any], gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    found, said = await get(http, gateway, path)
    assert found == status
    jsonschema.Draft202012Validator(schema(document, "/api/totals", "default")).validate(said)
    assert said["error"]["message"]
    assert words in said["error"]["remedy"] + said["error"]["message"]


async def test_keys_stand_nowhere(open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession) -> None:
    """Neither the gateway's, nor the model server's, nor a client's, nor what a webhook's address holds."""
    secrets = ("key-of-the-gateway", "key-of-the-server", "key-of-the-client", "secret-of-the-hook")
    gateway = await open_gateway(
        (await open_stub(slots=2)).url,
        key=secrets[0],
        upstream__key=secrets[1],
        alerts=AlertSettings(webhook=f"https://hooks.example/{secrets[3]}"),
        ledger__record=True,
    )
    headers = {"x-api-key": secrets[0], "authorization": f"Bearer {secrets[2]}"}
    async with http.post(gateway.url + "/v1/messages", data=message_body(LOUD), headers=headers) as answer:
        assert answer.status == 200
    assert gateway.ledger is not None
    assert gateway.ledger.flush()
    asked = [said if said.startswith("/") else path + said for path, row in QUESTIONS.items() for said in row[:1]]
    for path in (*asked, "/metrics", "/api/openapi.json"):
        url = gateway.url + path.replace("{id}", "last")
        async with http.get(url, headers={"x-api-key": secrets[0]}) as answer:
            text = await answer.text() + str(answer.headers)
        for secret in secrets:
            assert secret not in text, path


async def test_texts_are_shown_where_they_are_recorded(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, ledger__record=True)
    await talk(gateway, http)
    _, newest = await get(http, gateway, "/api/requests?limit=1&session=s1&outcome=hit")
    _, said = await get(http, gateway, f"/api/requests/{newest['records'][0]['id']}/segments")
    assert said["grade"] == "recorded"
    assert LOUD in said["segments"][0]["text"]


async def test_without_a_ledger_the_api_says_so_and_goes_on(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, ledger__off=True)
    status, said = await get(http, gateway, "/api/totals")
    assert (status, said["error"]["message"]) == (503, "this gateway keeps no ledger")
    status, said = await get(http, gateway, "/api/live")
    assert (status, said["ledger"]["path"]) == (200, "")


async def test_a_gateway_that_has_just_begun_answers(
    open_gateway: OpenGateway, http: aiohttp.ClientSession, free_port: int
) -> None:
    """With a ledger that nothing was ever written to, and no server."""
    gateway = await open_gateway(f"http://127.0.0.1:{free_port}")
    status, said = await get(http, gateway, "/api/totals")
    assert (status, said["requests"], said["hit_rate"]) == (200, 0, None)
    assert await get(http, gateway, "/api/sessions") == (200, {"sessions": [], "older": None})
    status, said = await get(http, gateway, "/api/requests/last")
    assert (status, said["error"]["message"]) == (404, "there are no requests yet")
    status, said = await get(http, gateway, "/api/live")
    assert (status, said["upstream"]["kind"], said["hit_rate"]) == (200, "", None)


async def test_agents_still_find_what_they_ask_for(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    status, said = await get(http, gateway, "/api/hello")
    assert (status, said["service"]) == (200, "keepwarm")
