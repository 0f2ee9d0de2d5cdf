"""Every rule does what its spec page says, and the player notices when it does not."""

from __future__ import annotations

import pytest

from keepwarm.rules.codes import CODES
from tests.rules.spec import SPECS, Player, Section, read_spec

PAGES = {path.stem: path.read_text("utf-8") for path in sorted(SPECS.glob("*.md"))}
SECTIONS = [section for code, page in PAGES.items() for section in read_spec(code, page)]


def test_every_rule_has_its_spec_and_no_spec_is_left_over() -> None:
    assert PAGES.keys() == CODES.keys()
    assert {section.code for section in SECTIONS} == CODES.keys()


@pytest.mark.parametrize("code", PAGES)
def test_a_spec_bears_the_name_of_its_rule(code: str) -> None:
    assert PAGES[code].startswith(f"# {code} {CODES[code].name}\n")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.code}: {section.title}")
def test_spec(section: Section) -> None:
    Player(section.code).play(section)


# That a spec can fail

SAMPLE = """# VOL002 token-countdown

## Sample
```request
{"model":"m","messages":[{"role":"user","content":"hi"},
 {"role":"system","content":"<total_tokens>5 tokens left</total_tokens>"}]}
```
```findings
VOL002 /messages/1/content/0: countdown dropped
```
```sent
{"messages": [{"role": "user", "content": "hi"}]}
```
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/messages/1/content/0", "/messages/0/content/0"),
        ("VOL002 /messages/1/content/0: countdown dropped\n", ""),
        ('"content": "hi"', '"content": "ho"'),
        ("5 tokens left", "five tokens left"),
        ("```findings", "```metadata"),
    ],
)
def test_a_spec_that_is_wrong_fails(old: str, new: str) -> None:
    (section,) = read_spec("VOL002", SAMPLE)
    Player("VOL002").play(section)
    assert SAMPLE.count(old) == 1
    (wrong,) = read_spec("VOL002", SAMPLE.replace(old, new))
    with pytest.raises(AssertionError):
        Player("VOL002").play(wrong)


@pytest.mark.parametrize(
    "page",
    [
        "## No expectation\n```request\n{}\n```\n",
        "## Not closed\n```request\n{}\n```\n```findings\n",
    ],
)
def test_a_spec_that_could_not_fail_is_refused(page: str) -> None:
    with pytest.raises(AssertionError):
        read_spec("VOL002", page)
