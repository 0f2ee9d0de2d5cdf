"""`keepwarm doctor` as a person reads it: one block a finding, worst marked, the command that mends it below it.

client    BAD   This version of Claude Code writes a new billing line at the head of the prompt of each request.
                costs 20,000 tokens, about 66.7 s, each turn
                keepwarm fix claude
"""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keepwarm.checks.finding import Finding, Report
from keepwarm.views import words

_STYLES = {"ok": "green", "info": "cyan", "warn": "yellow", "bad": "bold red"}


def print_doctor(report: Report, console: Console, as_json: bool = False) -> None:
    """Print the report: a table for a person, or JSON for a program."""
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(as_told(report)), indent=2).decode() + "\n")
        return
    plain = console.options.ascii_only
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    _add(table, report.findings, plain)
    for server in report.servers:
        if len(report.servers) > 1:
            heading = words.clean(f"{server.url} ({', '.join(server.known)})")
            table.add_row("", "", Text(f"\n{heading}", "bold underline"))
        _add(table, server.findings, plain)
    console.print(table, highlight=False)
    console.print()
    for server in report.servers:
        where = f" to {server.url}" if len(report.servers) > 1 else ""
        for number, line in enumerate(server.sent):
            said = f"The probe sent{where}: {line}." if not number else f"It went {line}."
            console.print(words.clean(said), highlight=False, markup=False, style="dim")
    if any(" ..." in one.command for one in report.every):
        console.print("In a command ... stands for what you start it with.", highlight=False, style="dim")
    console.print(summary(report), highlight=False, markup=False, style="bold", soft_wrap=True)


def summary(report: Report) -> str:
    """The last line: how much was found, and what to do first."""
    bad = [one for one in report.every if one.severity == "bad"]
    warned = [one for one in report.every if one.severity == "warn"]
    if not report.looked:
        what = bad[-1] if bad else None
        return "There was no model server to look at." + (f" Next: {words.clean(what.command)}" if what else "")
    if not bad and not warned:
        return "Nothing costs you the cache here."
    first = (bad or warned)[0]
    counted = f"{words.times(len(bad), 'thing')} bad, {words.times(len(warned), 'thing')} to know of"
    return f"{counted}. First: {words.clean(first.command or first.title)}"


def cost(finding: Finding) -> str:
    """What a finding costs in a clause; "" where it costs nothing or that is not known."""
    if not finding.tokens:
        return ""
    time = f", about {words.seconds(finding.seconds * 1000)}" if finding.seconds is not None else ""
    strikes = f", {finding.strikes}" if finding.strikes else ""
    return f"costs {words.count(finding.tokens)} tokens{time}{strikes}"


def as_told(report: Report) -> dict[str, object]:
    """The report for a program, its exit code included."""
    told: dict[str, object] = msgspec.to_builtins(report)
    return told | {"exit_code": report.exit_code}


def _add(table: Table, findings: tuple[Finding, ...], plain: bool) -> None:
    area = ""
    for finding in findings:
        label = finding.area if finding.area != area else ""
        area = finding.area
        table.add_row(label, Text(finding.severity.upper(), _STYLES[finding.severity]), _block(finding, plain))


def _block(finding: Finding, ascii_only: bool) -> Text:
    lines = [(finding.title, ""), (finding.detail, "dim"), (cost(finding), "dim"), (finding.command, "bold")]
    text = Text()
    for line, style in lines:
        if line:
            shown = words.clean(line)
            text.append(("\n" if text else "") + (words.ascii_only(shown) if ascii_only else shown), style)
    return text
