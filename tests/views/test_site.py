"""Documents made from code: what stands under a field is what a reader is told."""

from __future__ import annotations

import json
import re
from typing import Literal

import msgspec
import pytest

from keepwarm.config import Config, LedgerSettings, RuleSettings, UpstreamSettings
from keepwarm.rules.codes import CODES
from keepwarm.views.site import FAMILIES, documents, schema, sentences

PAGES = documents(CODES.values(), Config)


class Inner(msgspec.Struct, frozen=True):
    """The inside.

    Over two lines.
    """

    size: int = 3
    """How big
    it is."""
    mode: Literal["", "a", "b"] = ""
    names: tuple[str, ...] = ()
    on: bool | None = None
    """Whether."""


class Outer(msgspec.Struct, frozen=True):
    """The whole."""

    inner: Inner = Inner()
    """The part."""
    each: dict[str, Inner] = {}
    """One part each."""


def test_a_field_has_the_sentence_that_stands_under_it() -> None:
    assert sentences(Inner) == {"size": "How big it is.", "mode": "", "names": "", "on": "Whether."}


@pytest.mark.parametrize("settings", [Config, UpstreamSettings, RuleSettings, LedgerSettings])
def test_every_setting_has_a_sentence(settings: type[msgspec.Struct]) -> None:
    told = sentences(settings)
    assert list(told) == [field.name for field in msgspec.structs.fields(settings)]
    assert [name for name, words in told.items() if not words.endswith(".")] == []


def test_the_page_about_settings_lists_each_once_with_what_may_stand_there() -> None:
    page = documents([], Outer)["configuration.md"]
    headings = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in headings] == ["At the top", "[inner]", "[each.NAME]"]
    assert "The inside. Over two lines." in headings[1]
    assert "| `size` | number | `3` | How big it is. |" in headings[1]
    assert "| `mode` | `a`, `b` | empty |  |" in headings[1]
    assert "| `names` | a list of texts | `[]` |  |" in headings[1]
    assert "| `on` | `true` or `false` | unset | Whether. |" in headings[1]
    assert "One part each. The settings are those of `[inner]`." in headings[2]
    assert "`size`" not in headings[2]


def test_the_schema_tells_an_editor_of_every_setting() -> None:
    told = json.loads(schema(Config))
    assert told["$ref"] == "#/$defs/Config"
    settings = told["$defs"]["RuleSettings"]
    assert set(settings["properties"]) == {field.name for field in msgspec.structs.fields(RuleSettings)}
    assert settings["additionalProperties"] is False
    assert settings["properties"]["off"]["description"].startswith("Rules that are not applied")
    assert all(value["description"] for one in told["$defs"].values() for value in one["properties"].values())


@pytest.mark.parametrize("code", CODES)
def test_a_rule_has_its_page_and_its_line_in_the_index(code: str) -> None:
    assert f"# {code} {CODES[code].name}\n" in PAGES[f"rules/{code}.md"]
    assert CODES[code].page.strip() in PAGES[f"rules/{code}.md"]
    assert PAGES["rules/index.md"].count(f"[{code}]({code}.md)") == 1
    assert code[:3] in FAMILIES


def test_every_link_leads_to_a_document() -> None:
    for path, text in PAGES.items():
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            target = "/".join(filter(None, [*path.split("/")[:-1], link]))
            while (shorter := re.sub(r"[^/.]+/\.\./", "", target)) != target:
                target = shorter
            assert target in PAGES, f"{path} leads to {link}"
