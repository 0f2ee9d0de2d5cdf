"""The OpenAPI document of the gateway's JSON API, made from its table of routes and the structs of its answers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final, Protocol

import msgspec

from keepwarm import __version__
from keepwarm.views.answers import Refusal
from keepwarm.views.site import sentences

VERSION: Final = "3.1.0"
_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"


class Route(Protocol):
    """One question of the API."""

    @property
    def path(self) -> str:
        """With its parameters in braces: "/api/sessions/{name}"."""

    @property
    def asked(self) -> type[msgspec.Struct]:
        """Its parameters, those of the path too."""

    @property
    def answer(self) -> Any:
        """The type of what it answers; None where that is no JSON of ours."""

    @property
    def media(self) -> str:
        """The media type of the answer."""

    @property
    def summary(self) -> str:
        """One sentence."""


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document."""
    routes = tuple(routes)
    kinds = [route.answer for route in routes if route.answer is not None]
    parameters = [field.type for route in routes for field in msgspec.structs.fields(route.asked)]
    made, components = msgspec.json.schema_components([*kinds, Refusal, *parameters], ref_template=_REF)
    answers = iter(made[: len(kinds)])
    known = iter(made[len(kinds) + 1 :])
    refusal = made[len(kinds)]
    _describe(components, kinds)
    paths = {}
    for route in routes:
        content = {_JSON: {"schema": next(answers)}} if route.answer is not None else {route.media: {}}
        paths[route.path] = {
            "get": {
                "operationId": _name(route.path),
                "summary": route.summary,
                "parameters": [_parameter(route, field, next(known)) for field in msgspec.structs.fields(route.asked)],
                "responses": {
                    "200": {"description": route.summary, "content": content},
                    "default": {
                        "description": "There is no answer, and what to do.",
                        "content": {_JSON: {"schema": refusal}},
                    },
                },
            }
        }
    return {
        "openapi": VERSION,
        "info": {
            "title": "keepwarm",
            "version": __version__,
            "description": "What a gateway has served, why prompts were processed again, and what happens now.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        # Without a key, as on loopback, or with it in either way.
        "security": [{}, {"key": []}, {"bearer": []}],
    }


def _parameter(route: Route, field: msgspec.structs.FieldInfo, schema: dict[str, Any]) -> dict[str, Any]:
    inside = f"{{{field.name}}}" in route.path
    if field.default is not msgspec.NODEFAULT and field.default is not None:
        schema = {**schema, "default": field.default}
    return {
        "name": field.name,
        "in": "path" if inside else "query",
        "required": inside or field.required,
        "description": sentences(route.asked)[field.name],
        "schema": schema,
    }


def _describe(components: dict[str, Any], kinds: Iterable[Any]) -> None:
    """Each field's sentence from its source."""
    for name, kind in _structs(kinds).items():
        told = _told(kind)
        for field, schema in components.get(name, {}).get("properties", {}).items():
            if told.get(field):
                schema["description"] = told[field].replace("`", "")


def _told(kind: type[msgspec.Struct]) -> dict[str, str]:
    told: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if issubclass(one, msgspec.Struct) and one is not msgspec.Struct:
            told |= sentences(one)
    return told


def _structs(kinds: Iterable[Any]) -> dict[str, type[msgspec.Struct]]:
    """The structs that types are made of, by name."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if inspect.isclass(kind) and issubclass(kind, msgspec.Struct):
            if kind.__name__ not in found:
                found[kind.__name__] = kind
                waiting += [field.type for field in msgspec.structs.fields(kind)]
        else:
            waiting += getattr(kind, "__args__", ())
    return found


def _name(path: str) -> str:
    """ "/api/requests/{id}/segments" as "requests_id_segments"."""
    return "_".join(re.findall(r"[a-z]+", path.removeprefix("/api/")))
