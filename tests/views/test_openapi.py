"""The OpenAPI document of a table of routes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from keepwarm.views.openapi import document


class Inner(msgspec.Struct, frozen=True):
    """A part."""

    number: int
    """How many."""


class Answered(Inner, frozen=True):
    """A whole."""

    parts: tuple[Inner, ...]
    """The `parts`."""


class Asked(msgspec.Struct, frozen=True):
    """Which."""

    name: str
    """Whose."""
    limit: Annotated[int, msgspec.Meta(ge=1)] = 5
    """At the most."""


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""


class Row(msgspec.Struct, frozen=True):
    """A route."""

    path: str
    asked: type[msgspec.Struct]
    answer: Any
    media: str
    summary: str


ROUTES = (
    Row("/api/things/{name}", Asked, Answered, "application/json", "Things."),
    Row("/api/stream", Nothing, None, "text/event-stream", "A stream."),
)


def test_parameters_stand_where_they_belong_with_their_sentences() -> None:
    asked = document(ROUTES)["paths"]["/api/things/{name}"]["get"]
    name, limit = asked["parameters"]
    assert (name["in"], name["required"], name["description"]) == ("path", True, "Whose.")
    assert (limit["in"], limit["required"], limit["schema"]) == (
        "query",
        False,
        {"type": "integer", "minimum": 1, "default": 5},
    )
    assert asked["operationId"] == "things_name"


def test_answers_are_components_whose_fields_have_their_sentences() -> None:
    made = document(ROUTES)
    assert made["openapi"].startswith("3.1")
    schemas = made["components"]["schemas"]
    assert schemas["Answered"]["properties"]["number"]["description"] == "How many.", "what is inherited too"
    assert schemas["Answered"]["properties"]["parts"]["description"] == "The parts."
    assert schemas["Inner"]["properties"]["number"]["description"] == "How many."
    assert "remedy" in schemas["Fault"]["properties"]


def test_what_is_no_json_has_its_media_type_and_errors_are_json() -> None:
    answers = document(ROUTES)["paths"]["/api/stream"]["get"]["responses"]
    assert answers["200"]["content"] == {"text/event-stream": {}}
    assert answers["default"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Refusal"}
