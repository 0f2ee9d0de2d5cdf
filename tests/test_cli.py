"""The command line: what each command hands over, and how errors read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from keepwarm import __version__, cli
from keepwarm.checks.finding import Report
from keepwarm.config import Config, LedgerSettings, UpstreamSettings, check
from keepwarm.errors import ConfigError
from keepwarm.ledger.records import Verdict
from keepwarm.ledger.store import Ledger
from keepwarm.rules.codes import CODES
from keepwarm.shell import serve as serving
from keepwarm.testing.verify import Wish
from tests.ledger.samples import a_record

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's keepwarm.toml is in the way."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The settings that `serve` was called with."""
    configs: list[Config] = []
    monkeypatch.setattr(serving, "serve", lambda config, console: configs.append(config))
    return configs


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with two requests."""
    path = tmp_path / "ledger.sqlite"
    store = Ledger(path)
    store.put(a_record(id="aaa1", session="s-one"))
    store.put(a_record(id="bbb2", session="s-two"))
    store.close()
    return path


def output(*arguments: str) -> str:
    """What a command that goes well prints."""
    result = RUNNER.invoke(cli.app, list(arguments), env={"COLUMNS": "150"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_version() -> None:
    assert output("--version") == f"keepwarm {__version__}\n"


def test_without_a_word_it_tells_what_there_is() -> None:
    result = RUNNER.invoke(cli.app, [])
    for name in ("serve", "log", "explain", "rule", "demo"):
        assert name in result.output


def test_serve_without_options_is_the_defaults(served: list[Config]) -> None:
    output("serve")
    assert served == [Config()]


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["--upstream", "http://h:1"], Config(upstream=UpstreamSettings(url="http://h:1"))),
        (["--engine", "demo", "--slots", "2"], Config(engine="demo", engine_slots=2)),
        (["--host", "::1", "--port", "0"], Config(host="::1", port=0)),
        (["--kind", "chat"], Config(upstream=UpstreamSettings(kind="chat"))),
        (["--ledger", "kept", "--record"], Config(ledger=LedgerSettings(path="kept", record=True))),
        (["--translate-only"], Config(keep=False)),
    ],
)
def test_each_option_of_serve_is_a_setting(arguments: list[str], config: Config, served: list[Config]) -> None:
    output("serve", *arguments)
    assert served == [config]


def test_options_win_over_the_file_and_the_environment_too(
    served: list[Config], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "keepwarm.toml").write_text(
        "port = 1\nkey = 'file'\nhost = '::1'\n[upstream]\nurl = 'http://file'\n"
    )
    (empty_folder / "other.toml").write_text("engine = 'other.gguf'\n")
    monkeypatch.setenv("KEEPWARM_KEY", "environment")
    output("serve", "--port", "2")
    assert served[-1] == Config(port=2, key="environment", host="::1", upstream=UpstreamSettings(url="http://file"))
    output("serve", "--config", "other.toml")
    assert served[-1] == Config(engine="other.gguf", key="environment")


def test_an_engine_takes_the_place_of_the_files_upstream_and_back(served: list[Config], empty_folder: Path) -> None:
    (empty_folder / "keepwarm.toml").write_text("[upstream]\nurl = 'http://file'\nkind = 'chat'\n")
    output("serve", "--engine", "demo")
    assert served[-1] == Config(engine="demo", upstream=UpstreamSettings(kind="chat"))
    (empty_folder / "keepwarm.toml").write_text("engine = 'file.gguf'\n")
    output("serve", "--upstream", "http://h")
    assert served[-1] == Config(upstream=UpstreamSettings(url="http://h"))
    output("serve", "--upstream", "http://h", "--engine", "demo")
    with pytest.raises(ConfigError, match="leave one out"):
        check(served[-1])


def test_the_log(ledger: Path) -> None:
    said = output("log", "--ledger", str(ledger))
    assert "aaa1" in said
    assert "bbb2" in said
    assert "aaa1" not in output("log", "--ledger", str(ledger), "-n", "1")
    assert "bbb2" not in output("log", "--ledger", str(ledger), "--session", "s-o")


def test_the_ledger_of_the_settings_is_read(ledger: Path, empty_folder: Path) -> None:
    (empty_folder / "keepwarm.toml").write_text("[ledger]\npath = 'ledger.sqlite'\n")
    assert "aaa1" in output("log")
    assert json.loads(output("explain", "--json"))["request"]["id"] == "bbb2"


def test_explain(ledger: Path) -> None:
    assert "bbb2" in output("explain", "--ledger", str(ledger))
    assert "aaa1" in output("explain", "aa", "--ledger", str(ledger))
    assert json.loads(output("explain", "aa", "--json", "--ledger", str(ledger)))["request"]["id"] == "aaa1"


def test_the_rules() -> None:
    assert all(code in output("rule") for code in CODES)
    assert output("rule", "vol001").startswith("# VOL001")
    assert {entry["code"]: entry["state"] for entry in json.loads(output("rule", "--json"))}["VOL001"] == "on"


def test_the_rules_are_those_of_the_settings(empty_folder: Path) -> None:
    (empty_folder / "keepwarm.toml").write_text("[clients.qwen-code]\noff = ['VOL001']\n")
    entry = json.loads(output("rule", "VOL001", "--json"))
    assert (entry["state"], entry["clients"]) == ("on", {"qwen-code": "off"})
    (empty_folder / "other.toml").write_text("[upstream]\nrewrite = false\n")
    assert json.loads(output("rule", "VOL001", "--json", "--config", "other.toml"))["state"] == "names"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rule", "VOL999"], "there is no rule 'VOL999'; there are VOL001, "),
        (["log"], "keepwarm serve"),
        (
            ["explain", "--config", "nowhere.toml"],
            "nowhere.toml cannot be read (No such file or directory): name another",
        ),
        (["serve", "--upstream", "here"], "write it as http://127.0.0.1:8080"),
        (["serve", "--host", "0.0.0.0", "--engine", "demo"], "set a key"),
        (["serve", "--kind", "vllm", "--upstream", "http://h"], "use one of llamacpp, anthropic, chat"),
        (["serve", "--engine", "nowhere.gguf"], "nowhere.gguf: name a GGUF file that exists"),
    ],
)
def test_what_was_foreseen_is_one_message_and_status_1(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["keepwarm", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said: Any = capsys.readouterr()
    assert said.err.startswith("keepwarm: ")
    assert words in said.err
    assert "Traceback" not in said.err + said.out


def test_brackets_in_a_message_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["keepwarm", "explain", "--config", "[red]x[/red].toml"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "[red]x[/red].toml" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["log", "-n", "0"], ["log", "-n", "-3"], ["serve", "--port", "x"], ["nothing"]])
def test_what_no_command_line_can_mean_is_status_2(arguments: list[str]) -> None:
    assert RUNNER.invoke(cli.app, arguments).exit_code == 2


def test_doctor_hands_over_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, bool]] = []

    def look(config: Config, around: object, *, upstream: str, probe: bool) -> Report:
        given.append((upstream, probe))
        return Report(keepwarm="1")

    monkeypatch.setattr("keepwarm.shell.doctor.doctor", look)
    result = RUNNER.invoke(cli.app, ["doctor", "--upstream", "http://h:1", "--no-probe", "--json"])
    assert result.exit_code == 2
    assert json.loads(result.output)["exit_code"] == 2
    assert given == [("http://h:1", False)]


def test_verify_hands_over_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Wish] = []

    def run(wish: Wish, plot: Path | None, as_json: bool) -> int:
        given.append(wish)
        return 3

    monkeypatch.setattr("keepwarm.testing.verify.run", run)
    Path("keepwarm.toml").write_text('[upstream]\nurl = "http://h:1"\nkey = "k"\n')
    assert (
        RUNNER.invoke(cli.app, ["verify", "--rounds", "5", "--client-style", "2.1.328", "--server-log", "l"]).exit_code
        == 3
    )
    assert RUNNER.invoke(cli.app, ["verify", "--engine", "tiny"]).exit_code == 3
    named, own = given
    assert (named.upstream, named.engine, named.key, named.rounds, named.style) == ("http://h:1", "", "k", 5, "2.1.328")
    assert (own.upstream, own.engine, own.log, named.log) == ("", "tiny", None, Path("l"))


def test_demo_says_which_models_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert RUNNER.invoke(cli.app, ["demo", "--model", "other"]).exit_code == 1


@pytest.mark.parametrize("status", [0, 1])
def test_demo_hands_its_options_over(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def play(**options: Any) -> int:
        given.append(options)
        return status

    monkeypatch.setattr("keepwarm.testing.demo.demo", play)
    assert RUNNER.invoke(cli.app, ["demo", "--model", "tiny", "--keep", "--json"]).exit_code == status
    assert given == [{"model": "tiny", "keep": True, "json_output": True}]


def test_run_hands_over_what_is_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def run(name: str, arguments: list[str], config: Config, asked: Any, console: Any) -> int:
        given.extend((name, arguments, config, asked))
        return 3

    monkeypatch.setattr("keepwarm.shell.run.run", run)
    words = ["run", "--port", "1", "--upstream", "http://h", "claude", "-p", "hi", "--port", "2", "--help"]
    assert RUNNER.invoke(cli.app, words).exit_code == 3
    assert given[:3] == ["claude", ["-p", "hi", "--port", "2", "--help"], Config(port=1)]
    assert (given[3].upstream, given[3].engine) == ("http://h", "")


def test_fix_hands_its_options_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def fix(config: Config, wish: Any, console: Any) -> int:
        given.append(wish)
        return 1

    monkeypatch.setattr("keepwarm.shell.fix.fix", fix)
    assert RUNNER.invoke(cli.app, ["fix", "qwen", "--project", "--yes", "--gateway", "none"]).exit_code == 1
    assert (given[0].client, given[0].scope, given[0].gateway) == ("qwen", "project", "none")
    assert (given[0].yes, given[0].undo, given[0].json, given[0].statusline) == (True, False, False, False)


def test_the_status_line(ledger: Path) -> None:
    assert "no requests yet" in output("statusline", "--ledger", "nowhere.sqlite")
    assert output("statusline", "--ledger", str(ledger)).startswith("keepwarm ")


def test_top_once_is_a_plain_page(ledger: Path, free_port: int) -> None:
    page = output("top", "--once", "--ledger", str(ledger), "--gateway", f"http://127.0.0.1:{free_port}")
    assert f"no gateway at http://127.0.0.1:{free_port}" in page
    assert "s-one" in page
    assert "s-two" in page


def test_top_without_a_ledger_says_what_to_do(free_port: int) -> None:
    page = output("top", "--ledger", "none.sqlite", "--gateway", f"http://127.0.0.1:{free_port}")
    assert "keepwarm serve" in page


def test_report_of_a_period(ledger: Path, tmp_path: Path) -> None:
    page = output("report", "--ledger", str(ledger), "--since", "2026-09-01", "--until", "2026-09-30")
    assert "2 requests in 2 sessions" in page
    html = tmp_path / "r.html"
    output("report", "--ledger", str(ledger), "--since", "2026-09-01", "--until", "2026-09-30", "--html", str(html))
    assert html.read_text().startswith("<!doctype html>")


def test_report_knows_which_rules_are_off(tmp_path: Path) -> None:
    store = Ledger(tmp_path / "lost.sqlite")
    store.put(a_record(id="aaa1", verdict=Verdict("miss", "client", "counted", 9, 1, 8_000, ("VOL002",))))
    store.close()
    since = ("--ledger", str(tmp_path / "lost.sqlite"), "--since", "2026-09-01", "--until", "2026-09-30")
    assert "Switch the rule on" not in output("report", *since)
    Path("keepwarm.toml").write_text('[rules]\noff = ["VOL002"]\n')
    assert 'Switch the rule on: on = ["VOL002"]' in output("report", *since)


def test_a_quick_command_loads_no_terminal_library() -> None:
    code = "import sys, keepwarm.cli; sys.exit('textual' in sys.modules or 'genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_first_screen_says_where_to_begin() -> None:
    shown = " ".join(RUNNER.invoke(cli.app, []).output.split())
    assert "Begin with keepwarm doctor" in shown
    assert "keepwarm run claude" in shown


def test_docs_says_where_they_are() -> None:
    assert "begin with pages/index.md" in output("docs", "pages")
    assert Path("pages/index.md").is_file()


def test_the_list_of_rules_says_how_one_is_read() -> None:
    assert "keepwarm rule VOL001" in output("rule")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["rule"], ["rule", "--json"], ["--version"]])
def test_output_that_nobody_takes_is_one_message(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "keepwarm", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written (No space left on device): send it elsewhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_a_place_that_cannot_be_written_is_one_message() -> None:
    Path("file").touch()
    command = [sys.executable, "-m", "keepwarm", "docs", "file/docs"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("keepwarm: file/docs")
    assert "name another place" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_none_is_told(ledger: Path) -> None:
    with pytest.raises(ConfigError, match="'foo' is not an address"):
        RUNNER.invoke(cli.app, ["top", "--once", "--gateway", "foo", "--ledger", str(ledger)], catch_exceptions=False)
