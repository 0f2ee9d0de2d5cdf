"""The dashboard and the alert rules ask for nothing that `/metrics` does not tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from keepwarm.ledger.records import Verdict
from keepwarm.views.metrics import Metrics, Moment
from tests.ledger.samples import a_record

FOLDER = Path(__file__).parent.parent / "grafana"
NAME = re.compile(r"\bkeepwarm_[a-z0-9_]+\b")
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
SCRAPED = {"job", "instance", "le"}
"""Labels that Prometheus adds, or a histogram has."""


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """The names of the samples of `/metrics`, each with its labels."""
    metrics = Metrics()
    metrics.record(a_record())
    metrics.verdict(a_record(verdict=Verdict("miss", "client", "counted", lost=9, causes=("VOL001",), lost_ms=1.0)))
    metrics.alert("cause")
    metrics.undelivered("webhook")
    families = text_string_to_metric_families(metrics.text(Moment()).decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    """Every question to Prometheus."""
    panels = dashboard()["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*asked, *(rule["expr"] for rule in rules())]


def test_every_metric_that_is_asked_for_is_told(told: dict[str, set[str]]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 15
    assert asked <= told.keys()


def test_every_label_that_is_asked_for_is_there(told: dict[str, set[str]]) -> None:
    for expression in expressions():
        there = {label for name in NAME.findall(expression) for label in told[name]} | SCRAPED
        for labels in BY.findall(expression):
            assert {label.strip() for label in labels.split(",")} <= there, expression
        for selector in re.findall(r"\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)=~?", selector)) <= there, expression


@pytest.mark.parametrize("expression", expressions())
def test_brackets_are_closed(expression: str) -> None:
    for one, other in ("()", "{}", "[]"):
        assert expression.count(one) == expression.count(other)


def test_counters_are_asked_for_their_rate_and_gauges_are_not() -> None:
    for expression in expressions():
        for name in NAME.findall(expression):
            grown = re.search(rf"(?:rate|increase)\({name}\b", expression) is not None
            assert grown == name.endswith(("_total", "_bucket")), f"{name} in {expression}"


def test_panels_stand_beside_each_other_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["title"]


def test_every_alert_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"]
        assert "What to do: " in rule["annotations"]["description"]
