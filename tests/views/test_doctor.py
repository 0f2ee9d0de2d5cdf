"""The report reads well in a narrow terminal, and as JSON."""

from __future__ import annotations

import json

from msgspec.structs import replace

from keepwarm.checks.finding import Finding, Report, ServerReport, priced
from keepwarm.views.doctor import cost, print_doctor, summary
from tests.views.screens import Screen

BAD = Finding(
    area="cache",
    code="no-reuse",
    severity="bad",
    title="The same prompt a second time is processed again.",
    detail="So it is.",
    tokens=20_000,
    strikes="each turn",
    command="keepwarm serve",
)
FINE = Finding(area="server", code="server", severity="ok", title="A server \x1b[31mred\x1b[0m.")
SERVER = ServerReport(
    url="http://h:1", known=("named",), rate=250.0, sent=("two requests",), findings=priced([BAD, FINE], 250.0)
)
REPORT = Report(keepwarm="0.1", servers=(SERVER,))


def test_a_finding_has_its_cost_and_its_command() -> None:
    screen = Screen(80)
    print_doctor(REPORT, screen.console)
    assert screen.text().splitlines() == [
        "server  OK   A server  [31mred [0m.",
        "cache   BAD  The same prompt a second time is processed again.",
        "             So it is.",
        "             costs 20,000 tokens, about 80.0 s, each turn",
        "             keepwarm serve",
        "",
        "The probe sent: two requests.",
        "1 thing bad, 0 things to know of. First: keepwarm serve",
    ]


def test_it_fits_a_narrow_terminal_and_ascii() -> None:
    screen = Screen(40, "ascii")
    print_doctor(Report(keepwarm="0.1", findings=(BAD,)), screen.console)
    assert max(map(len, screen.text().splitlines()[:-1])) <= 40


def test_json_holds_all_and_the_exit_code() -> None:
    screen = Screen()
    print_doctor(REPORT, screen.console, as_json=True)
    told = json.loads(screen.text())
    assert told["exit_code"] == 1
    (server,) = told["servers"]
    assert server["findings"][1]["seconds"] == 80.0
    assert server["sent"] == ["two requests"]


def test_several_servers_have_headings() -> None:
    screen = Screen(80)
    other = replace(SERVER, url="http://h:2", known=("found here", "behind keepwarm"), sent=(), findings=(FINE,))
    print_doctor(replace(REPORT, servers=(SERVER, other)), screen.console)
    lines = [line.strip() for line in screen.text().splitlines()]
    assert lines.index("http://h:1 (named)") < lines.index("http://h:2 (found here, behind keepwarm)")
    assert "The probe sent to http://h:1: two requests." in lines


def test_the_last_line_says_what_to_do_first() -> None:
    fine = ServerReport(url="http://h:1", known=(), findings=(FINE,))
    assert summary(Report(keepwarm="1", servers=(fine,))) == "Nothing costs you the cache here."
    nothing = Finding(area="server", code="nothing-found", severity="bad", title="None.", command="start one")
    assert summary(Report(keepwarm="1", findings=(nothing,))).endswith("Next: start one")


def test_a_cost_without_a_rate_has_no_seconds() -> None:
    assert cost(BAD) == "costs 20,000 tokens, each turn"
    assert cost(FINE) == ""
