"""An agent's habits count less where the settings or the gateway mend them."""

from __future__ import annotations

from keepwarm.checks.agents import judge_agents, softened
from keepwarm.checks.finding import Finding
from keepwarm.checks.habits import Known
from keepwarm.checks.settings import BASE_URL, HEADER, read_settings

HABIT = Known("a line that is new in each request", ("VOL001",), "each turn")
GATEWAY = "http://127.0.0.1:8787"
CLAUDE = [("claude", "2.1.114 (Claude Code)", "/bin/claude")]


def codes(environment: dict[str, str], runs: bool = False) -> dict[str, str]:
    """Severity by code."""
    found = judge_agents(CLAUDE, read_settings(environment, []), GATEWAY, runs, lambda name, version: [HABIT])
    return {one.code: one.severity for one in found}


def test_a_header_that_nothing_removes_is_bad() -> None:
    assert codes({})["header-each-request"] == "bad"
    assert codes({BASE_URL: GATEWAY}, runs=False)["header-each-request"] == "bad"
    assert codes({BASE_URL: "http://127.0.0.1:1"}, runs=True)["header-each-request"] == "bad"


def test_a_header_that_is_off_or_taken_out_is_fine() -> None:
    assert codes({HEADER: "0"}).keys() >= {"header-off"}
    assert "header-each-request" not in codes({HEADER: "0"})
    through = codes({BASE_URL: GATEWAY}, runs=True)
    assert through["header-removed"] == "ok"
    assert "bad" not in through.values()


def test_no_agent_at_all_says_how_to_get_one() -> None:
    (none,) = judge_agents([], read_settings({}, []), GATEWAY, False, lambda name, version: [])
    assert (none.code, none.severity) == ("no-client", "info")
    assert none.command.startswith("npm i")


def test_whoever_knows_more_hands_in_habits_of_their_own() -> None:
    found = judge_agents(CLAUDE, read_settings({}, []), GATEWAY, False, lambda name, version: [Known(f"{name} hums")])
    assert "claude hums" in found[-1].title


def test_a_server_that_masks_the_line_makes_it_less_bad() -> None:
    bad = Finding(area="client", code="header-each-request", severity="bad", title="It does.")
    for codes, severity in (
        ((), "bad"),
        (("header-masked",), "warn"),
        (("header-masked", "line-removed"), "info"),
        (("line-removed",), "bad"),
    ):
        assert [one.severity for one in softened([bad], codes)] == [severity]
