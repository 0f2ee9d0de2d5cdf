"""The command line: every command is a few lines that hand over to the part that does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from keepwarm import __version__
from keepwarm.config import Config, address_of, load, override
from keepwarm.errors import KeepwarmError
from keepwarm.rules.api import Rule
from keepwarm.rules.codes import CODES
from keepwarm.views.explain import print_explain
from keepwarm.views.log import print_log
from keepwarm.views.rule import RuleList, print_rule
from keepwarm.views.site import documents

app = typer.Typer(
    name="keepwarm",
    help="Keep a language-model server's prefix cache warm for coding agents.",
    epilog="Begin with  keepwarm doctor  (what costs you the cache here) or  keepwarm run claude  (the agent, through "
    "keepwarm); keepwarm demo  shows what it is good for, on a model of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ConfigFile = Annotated[Path | None, typer.Option("--config", help="keepwarm.toml (default: the one in this folder)")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"keepwarm {__version__}")
        raise typer.Exit


@app.command()
def serve(
    upstream: Annotated[str | None, typer.Option(help="Address of the model server, http://127.0.0.1:8080")] = None,
    engine: Annotated[str | None, typer.Option(help="Run llama.cpp on this GGUF file; or: demo")] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; anything but loopback needs a key")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen (8787); 0 takes a free port")] = None,
    kind: Annotated[str | None, typer.Option(help="How the server speaks: llamacpp, anthropic or chat")] = None,
    slots: Annotated[int | None, typer.Option(help="Slots of the embedded engine (4)")] = None,
    ledger: Annotated[Path | None, typer.Option(help="The ledger's file")] = None,
    record: Annotated[bool | None, typer.Option("--record", help="Keep prompt texts in the ledger")] = None,
    translate_only: Annotated[bool, typer.Option("--translate-only", help="Keep nothing: for comparison")] = False,
    config: ConfigFile = None,
) -> None:
    """Stand between an agent and a model server."""
    from keepwarm.shell import serve as serving

    if upstream and not engine:
        engine = ""  # the one that is named here takes the place of the file's other
    elif engine and not upstream:
        upstream = ""
    settings = override(
        _settings(config),
        upstream__url=upstream,
        upstream__kind=kind,
        engine=engine,
        host=host,
        port=port,
        engine_slots=slots,
        ledger__path=str(ledger) if ledger else None,
        ledger__record=record,
        keep=False if translate_only else None,
    )
    serving.serve(settings, serving.Terminal())


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def run(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="claude, opencode, qwen, pi or cline; what follows is its own")] = "",
    upstream: Annotated[str | None, typer.Option(help="Address of the model server, http://127.0.0.1:8080")] = None,
    engine: Annotated[str | None, typer.Option(help="Run llama.cpp on this GGUF file; or: demo")] = None,
    port: Annotated[int | None, typer.Option(help="Where the gateway listens (8787); 0 takes a free port")] = None,
    ledger: Annotated[Path | None, typer.Option(help="The ledger's file")] = None,
    config: ConfigFile = None,
) -> None:
    """Start a coding agent through keepwarm: keepwarm run claude. A gateway is started if none runs."""
    from keepwarm.shell import run as running

    settings = override(_settings(config), port=port, ledger__path=str(ledger) if ledger else None)
    asked = running.Asked(upstream or "", engine or "", config, ledger)
    raise typer.Exit(running.run(agent, context.args, settings, asked, Console(stderr=True)))


@app.command()
def fix(
    agent: Annotated[str, typer.Argument(help="claude, opencode, qwen, pi or cline; none: those installed here")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give the files their bytes of before back")] = False,
    project: Annotated[bool, typer.Option("--project/--user", help="Settings of this folder, or the user's")] = False,
    gateway: Annotated[str, typer.Option(help="The gateway's address (the one that runs); or: none")] = "",
    statusline: Annotated[bool, typer.Option("--statusline", help="Give Claude Code keepwarm's status line")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; writes only with --yes")] = False,
    config: ConfigFile = None,
) -> None:
    """Show what keeps the cache in the agents' own settings, and on yes write it."""
    from keepwarm.shell import fix as fixing

    scope: Literal["project", "user"] = "project" if project else "user"
    wish = fixing.Wish(agent, scope, gateway, statusline, yes, undo, as_json)
    raise typer.Exit(fixing.fix(_settings(config), wish, Console()))


@app.command()
def statusline(
    ledger: Annotated[Path | None, typer.Option("--ledger", help="The ledger's file")] = None,
    config: ConfigFile = None,
) -> None:
    """One short line for Claude Code's status line: what was reused, the last cause. Reads its JSON."""
    # Here for --help: keepwarm/__main__.py draws the line without coming by.
    from keepwarm.views import statusline as view

    named = [("--ledger", ledger), ("--config", config)]
    view.main([str(part) for pair in named if pair[1] for part in pair])


LedgerFile = Annotated[Path | None, typer.Option("--ledger", help="The ledger's file")]


@app.command()
def log(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as requests come")] = False,
    limit: Annotated[int, typer.Option("-n", min=1, help="How many")] = 20,
    session: Annotated[str | None, typer.Option(help="Only this session (its first letters do)")] = None,
    ledger: LedgerFile = None,
    config: ConfigFile = None,
) -> None:
    """One line a request: what was reused, what was processed, and why."""
    print_log(ledger or _settings(config).ledger_path, follow, limit, session, Console())


@app.command()
def explain(
    which: Annotated[str, typer.Argument(help="last, or a request's id (its first letters do)")] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="The record as JSON")] = False,
    ledger: LedgerFile = None,
    config: ConfigFile = None,
) -> None:
    """Why a prompt was processed again: what was reused, the first differing place, whose fault."""
    print_explain(ledger or _settings(config).ledger_path, which, Console(), as_json=as_json)


@app.command()
def rule(
    code: Annotated[str | None, typer.Argument(help="VOL001, ...; none lists them all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The rule, or all of them, as JSON")] = False,
    config: ConfigFile = None,
) -> None:
    """The rule book: what costs you the cache, what is done about it, and what is switched on here."""
    from keepwarm.shell.extensions import load_extensions

    settings, extensions = load(config), load_extensions()
    rules = RuleList(
        settings.shelf(extension.rule for extension in extensions.rules),
        settings.upstream.rewrite is not False and settings.keep,
        {extension.rule.code: extension.source for extension in extensions.rules},
        [str(refusal) for refusal in extensions.refused],
    )
    print_rule(code, Console(), rules, as_json)


@app.command()
def top(
    gateway: Annotated[str, typer.Option(help="The gateway's address (default: the one of the settings)")] = "",
    once: Annotated[bool, typer.Option("--once", help="One plain page, for a pipe")] = False,
    ledger: LedgerFile = None,
    config: ConfigFile = None,
) -> None:
    """Sessions, requests, slots and prefills as they happen; a key opens the verdict, another the diff."""
    from keepwarm.shell.neighbour import address
    from keepwarm.shell.top.start import run_top

    settings = _settings(config)
    url = address_of(gateway) if gateway else address(settings)
    run_top(ledger or settings.ledger_path, url, settings.key, Console(), once)


@app.command()
def report(
    since: Annotated[str, typer.Option(help="Where it begins: 7d, 12h, or a date")] = "7d",
    until: Annotated[str, typer.Option(help="Where it ends (default: now)")] = "",
    session: Annotated[str, typer.Option(help="Only this session (its first letters do)")] = "",
    change: Annotated[str, typer.Option(help="The moment between before and after (default: the middle)")] = "",
    html: Annotated[Path | None, typer.Option(help="Write the whole as one HTML file")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the whole as Markdown; - prints it")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the whole to FILE.html or FILE.md")] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="With words of prompts, where recorded")] = False,
    ledger: LedgerFile = None,
    config: ConfigFile = None,
) -> None:
    """A period: what happened, what it cost, which causes, what to change, before and after."""
    from keepwarm.views.report.printing import Wanted, print_report

    settings = _settings(config)
    wanted = Wanted(since, until, session, change, with_text, html, markdown, out)
    rules, applied = _rule_book(settings)
    print_report(ledger or settings.ledger_path, wanted, Console(), rules, applied)


@app.command()
def docs(
    folder: Annotated[Path, typer.Argument(help="Where they are written: docs")] = Path("docs"),
) -> None:
    """Write the rule pages, the page about settings and its schema for editors."""
    pages = documents(CODES.values(), Config)
    for path, text in pages.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    typer.echo(f"{len(pages)} pages are in {folder}: begin with {folder / 'index.md'}")


@app.command()
def demo(
    model: Annotated[str, typer.Option(help="demo (SmolLM2, real words) or tiny (long session, noise)")] = "demo",
    keep: Annotated[bool, typer.Option("--keep", help="Leave it serving afterwards")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON")] = False,
) -> None:
    """The same agent session twice, straight to the engine and through keepwarm, with the table of what it cost."""
    from keepwarm.testing.demo import demo as play

    raise typer.Exit(play(model=model, keep=keep, json_output=as_json))


@app.command()
def doctor(
    upstream: Annotated[str | None, typer.Option(help="Look at this server alone (or a keepwarm's)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON")] = False,
    probe: Annotated[bool, typer.Option(help="Send the server a few small prompts to see what its cache does")] = True,
    config: ConfigFile = None,
) -> None:
    """What is wrong with this set-up, what it costs, and what mends it. Exits with 1 where something is bad."""
    from keepwarm.shell.doctor import Surroundings
    from keepwarm.shell.doctor import doctor as look
    from keepwarm.views.doctor import print_doctor

    around = Surroundings(Path.home(), Path.cwd(), os.environ)
    with Console(stderr=True).status("looking at agents, settings, servers and their caches"):
        report = look(_settings(config), around, upstream=upstream or "", probe=probe)
    print_doctor(report, Console(), as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def verify(
    upstream: Annotated[str | None, typer.Option(help="Address of the model server")] = None,
    engine: Annotated[str, typer.Option(help="Or run llama.cpp: demo, tiny, or a GGUF file")] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Times that each arm is played; three at least say something")] = 3,
    requests: Annotated[int, typer.Option(min=2, help="Requests of a session")] = 2,
    tokens: Annotated[int, typer.Option(min=0, help="Tokens of a prompt (what fits into three minutes)")] = 0,
    endpoint: Annotated[str, typer.Option(help="Where the straight arms ask: chat or messages")] = "",
    client_style: Annotated[str, typer.Option(help="Whose header: 2.1.114 or 2.1.328")] = "2.1.114",
    server_log: Annotated[Path | None, typer.Option(help="The file that the server's log goes to: is read too")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the plot to this SVG file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON")] = False,
    config: ConfigFile = None,
) -> None:
    """Measure what the billing line costs here, straight and through keepwarm. Exits with 3 where noise hides it."""
    from keepwarm.testing import verify as trial

    to = _settings(config).upstream
    url = upstream or ("" if engine else to.url)
    wish = trial.Wish(url, engine, to.key, rounds, requests, tokens, endpoint, client_style, server_log)
    raise typer.Exit(trial.run(wish, plot, as_json))


def _rule_book(settings: Config) -> tuple[Mapping[str, Rule], frozenset[str]]:
    """Every rule by its code, and the codes of those that are applied."""
    from keepwarm.shell.extensions import load_extensions

    shelf = settings.shelf(extension.rule for extension in load_extensions().rules)
    applies = settings.keep and settings.upstream.rewrite is not False
    return shelf.rules, frozenset(code for code in shelf.rules if applies and shelf.book("").has(code))


def _settings(path: Path | None) -> Config:
    settings = load(path)
    key = os.environ.get("KEEPWARM_KEY")
    return override(settings, key=key or None)


def main() -> None:
    """The program: an error that keepwarm foresaw is one message, not a traceback."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, where it can still be told that nobody takes it
    except KeepwarmError as error:
        _fail(str(error))
    except OSError as error:
        # What Python still holds to be written must not fail once more when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read has read enough
            sys.exit(1)
        reason = error.strerror or str(error)
        if error.filename is None:
            _fail(f"what is to be printed cannot be written ({reason}): send it elsewhere")
        _fail(f"{error.filename} cannot be used ({reason}): name another place, or mend its rights")


def _fail(said: str) -> NoReturn:
    Console(stderr=True).print(f"keepwarm: {said}", style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
