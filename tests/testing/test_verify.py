"""The command: the embedded engine from end to end, wishes that cannot be, and the exit code of noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from keepwarm.checks.trial import Arm, Trial
from keepwarm.errors import ConfigError
from keepwarm.testing import verify as command
from keepwarm.testing.demo import engine_options
from keepwarm.testing.demo_play import running_engine
from keepwarm.testing.verify import Wish, fitting_tokens, run, verify
from tests.shell.speaking import speaking
from tests.testing.conftest import EngineFor
from tests.views.test_trial import trial


async def test_the_embedded_engine_from_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    result = await verify(Wish(engine="tiny", rounds=1, tokens=1200), Console())
    on, off = (result.later(Arm("straight", header)) for header in (True, False))
    assert [one.with_line for one in (*on, *off)] == [True, False]
    assert (on[0].processed or 0) > 1000 > 200 > (off[0].processed or 1000)
    warm = [one for header in (True, False) for one in result.later(Arm("keepwarm", header))]
    assert all(one.with_line is False and (one.processed or 1000) < 200 for one in warm)
    assert result.log is not None
    assert [(one.prompts, one.header_lines) for one in result.log.arms] == [(2, 2), (2, 0), (2, 0), (2, 0)]
    straight = result.log.arms[0]
    assert straight.asked > 2000 > 200 > straight.reused
    assert result.log.arms[1].reused > 1000
    assert "tokens a second" in capsys.readouterr().out


async def test_a_server_that_is_named(engine_for: EngineFor) -> None:
    result = await verify(Wish(upstream=engine_for(slots=3).url, rounds=1, tokens=900), Console(quiet=True))
    assert result.server.startswith("llama.cpp")
    assert {one.evidence for one in result.samples} == {"template"}


async def test_the_log_of_a_server_that_is_named(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with running_engine(replace(engine_options("tiny"), log_file=log, verbosity=4, threads=1)) as engine:
        result = await verify(Wish(upstream=engine.url, rounds=1, tokens=900, log=log), Console(quiet=True))
    assert result.log is not None
    assert result.log.of == "server.log"
    assert "--verbose" in result.log.note  # it tells of reuse, and no prompts
    assert result.log.arms[1].reused > 700 > 100 > result.log.arms[0].reused


def test_what_is_shown_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made: list[Trial] = [trial()]

    async def measured(wish: Wish, console: Console) -> Trial:
        console.print("measuring")
        return made[0]

    monkeypatch.setattr(command, "verify", measured)
    plot = tmp_path / "plot.svg"
    assert run(Wish(), plot) == 0
    assert plot.read_text().startswith("<svg")
    assert "| straight, header on |" in capsys.readouterr().out
    assert run(Wish(), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
    made[0] = trial(rounds=2)
    assert run(Wish()) == 3
    assert "nothing can be concluded" in capsys.readouterr().out


def test_a_plot_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name another file with --plot"):
        run(Wish(), tmp_path)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(upstream="http://h", engine="demo"), "leave one out"),
        (Wish(engine="tiny", style="1.0"), "use one of 2.1.114, 2.1.328"),
        (Wish(upstream="http://127.0.0.1:1"), "Nothing answers"),
        (Wish(upstream="host"), "'host' is not an address: write it as http://"),
        (Wish(engine="tiny", log=Path("x.log")), "leave --server-log out"),
        (Wish(upstream="https://api.anthropic.com"), "costs money"),
    ],
)
async def test_a_wish_that_cannot_be_says_what_can(wish: Wish, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        await verify(wish, Console(quiet=True))


async def test_a_prompt_that_does_not_fit_and_an_unknown_endpoint(engine_for: EngineFor) -> None:
    url = engine_for(slots=3).url
    with pytest.raises(ConfigError, match="use a smaller --tokens"):
        await verify(Wish(upstream=url, tokens=90_000), Console(quiet=True))
    with pytest.raises(ConfigError, match="use chat or messages"):
        await verify(Wish(upstream=url, endpoint="soap"), Console(quiet=True))


async def test_the_wrong_port_is_told() -> None:
    async with speaking({}, (200, "<html>a shop</html>")) as shop:
        with pytest.raises(ConfigError, match="no model server"):
            await verify(Wish(upstream=shop.url), Console(quiet=True))


def test_prompts_are_as_long_as_the_time_allows() -> None:
    demo = Wish(engine="demo")
    assert fitting_tokens(10_000, demo, 4096) == 2000
    assert fitting_tokens(1, demo, 4096) == 500
    assert 500 < fitting_tokens(100, demo, 4096) < 2000
    assert fitting_tokens(100, replace(demo, rounds=9), 4096) < fitting_tokens(100, demo, 4096)
    assert fitting_tokens(10_000, Wish(), None) == 20_000
    assert fitting_tokens(10_000, Wish(), 8192) == 7792
    assert fitting_tokens(500, Wish(), 65_536) == 2500
