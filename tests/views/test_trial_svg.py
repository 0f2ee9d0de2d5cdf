"""The plot is one well-formed file with a point for each round and arm."""

from __future__ import annotations

from xml.etree import ElementTree

from msgspec.structs import replace

from keepwarm.views.trial_svg import svg
from tests.views.test_trial import trial

NAME = "{http://www.w3.org/2000/svg}"


def test_each_round_of_each_arm_is_a_point() -> None:
    drawn = ElementTree.fromstring(svg(trial()))
    assert len(drawn.findall(f"{NAME}circle")) == 12
    assert len(drawn.findall(f"{NAME}polyline")) == 1
    words = "\n".join(text.text or "" for text in drawn.findall(f"{NAME}text"))
    assert "llama.cpp <b1> & so on" in words
    assert "costs the cache" in words


def test_everything_stays_on_the_sheet() -> None:
    drawn = ElementTree.fromstring(svg(trial()))
    _, _, width, height = (float(part) for part in drawn.attrib["viewBox"].split())
    for circle in drawn.findall(f"{NAME}circle"):
        assert 0 <= float(circle.attrib["cx"]) <= width
        assert 0 <= float(circle.attrib["cy"]) <= height
    texts = drawn.findall(f"{NAME}text")
    assert max(len(text.text or "") for text in texts) <= 120
    for text in texts:
        assert 0 <= float(text.attrib["y"]) <= height


def test_without_memory_there_is_no_second_panel() -> None:
    drawn = ElementTree.fromstring(svg(replace(trial(), memory=())))
    assert drawn.findall(f"{NAME}polyline") == []
