"""What a template does is read off the prompts that it makes."""

from __future__ import annotations

import json

import pytest

from keepwarm.checks.template import UNASKED, Template, detokenize, judge_template, questions, read_template


def codes(facts: Template) -> dict[str, str]:
    """Severity by code."""
    return {one.code: one.severity for one in judge_template(facts)}


def rendered(**prompts: str) -> dict[str, tuple[int, bytes]]:
    """Answers with these prompts."""
    return {name: (200, json.dumps({"prompt": text}).encode()) for name, text in prompts.items()}


def test_what_is_asked_makes_no_token() -> None:
    assert {one.path for one in questions().values()} == {"/apply-template"}
    asked = questions("qwen").values()
    assert {one.path for one in asked} == {"/tokenize"}
    assert all(b'"model":"qwen"' in one.body for one in asked)


def test_the_text_of_vllms_tokens() -> None:
    reading = detokenize("qwen", b'{"tokens":[1,2],"count":2}')
    assert reading is not None
    assert (reading.path, reading.body) == ("/detokenize", b'{"model":"qwen","tokens":[1,2]}')
    assert detokenize("qwen", b"no") is None


@pytest.mark.parametrize(
    ("prompt", "stand", "code", "severity"),
    [
        ("sysmark-alder toolmark_birch", "behind", "tools", "ok"),
        ("toolmark_birch sysmark-alder", "before", "tools", "ok"),
        ("sysmark-alder", "nowhere", "tools-nowhere", "bad"),
    ],
)
def test_where_tools_stand(prompt: str, stand: str, code: str, severity: str) -> None:
    facts = read_template("", rendered(tools=prompt))
    assert facts.tools == stand
    assert codes(facts)[code] == severity


@pytest.mark.parametrize(
    ("prompt", "where"),
    [
        ("firstmark-fir inlinemark-elm lastmark-gorse", "in place"),
        ("inlinemark-elm firstmark-fir lastmark-gorse", "moved"),
        ("firstmark-fir lastmark-gorse", "dropped"),
        ("", ""),
    ],
)
def test_what_becomes_of_a_system_message_between_the_turns(prompt: str, where: str) -> None:
    assert read_template("", rendered(inline=prompt)).inline == where


def test_a_refusal_counts_only_where_the_rest_is_taken() -> None:
    refused = {"inline": (400, b'{"error":{}}')}
    facts = read_template("", rendered(tools="sysmark-alder toolmark_birch") | refused)
    assert facts.inline == "refused"
    assert codes(facts)["inline-refused"] == "warn"
    assert read_template("", {"tools": (500, b""), **refused}).inline == ""
    assert read_template("", {"inline": (404, b"")}).inline == ""


def test_thinking_that_is_dropped_and_whether_a_switch_keeps_it() -> None:
    kept = read_template("", rendered(thinking="thoughtmark-cedar", preserved="thoughtmark-cedar"))
    assert (kept.drops_thinking, kept.keeps_when_asked) == (False, None)
    mended = read_template("", rendered(thinking="x", preserved="thoughtmark-cedar"))
    assert (mended.drops_thinking, mended.keeps_when_asked) == (True, True)
    lost = read_template("", rendered(thinking="x", preserved="x"))
    assert (lost.drops_thinking, lost.keeps_when_asked) == (True, False)
    commands = [next(one.command for one in judge_template(facts)) for facts in (mended, lost)]
    assert commands[0] == "keepwarm serve"
    assert "--chat-template-file" in commands[1]


def test_a_clock_in_the_template() -> None:
    assert read_template("{{ strftime_now('%d') }}", {}) == Template(clock=True, clock_fixed=False)
    assert read_template("{{ date_string or strftime_now('%d') }}", {}).clock_fixed is True
    assert read_template("{{ x }}", {}).clock is False
    assert read_template("", {}).clock is None
    fixed = judge_template(Template(clock=True, clock_fixed=True))[0]
    assert "date_string" in fixed.command


def test_a_server_that_renders_nothing_is_not_judged() -> None:
    assert codes(UNASKED) == {"template-unknown": "info"}
