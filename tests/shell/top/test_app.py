"""`keepwarm top` as it looks at three sizes, and what its keys do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.color import Color
from textual.pilot import Pilot

from keepwarm.ledger.store import Ledger
from keepwarm.shell.top import app as top_app
from keepwarm.views.top.head import Gateway
from tests.ledger.samples import a_record
from tests.shell.top.stage import LIVE, URL, Told, program, seen, until
from tests.views.day import CLAUDE, NOON, OTHER, a_day
from tests.views.goldens import WRITES, check_golden
from tests.views.screens import write_ledger

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """The ledger of a day with agents."""
    return write_ledger(tmp_path / "ledger.sqlite", *a_day())


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks for news more often."""
    monkeypatch.setattr(top_app, "POLL_SECONDS", 0.05)


def all_there(text: str) -> bool:
    return "slots" in text and "ae0000" in text


async def test_the_screenshot_in_the_docs(day: Path, repository: Path) -> None:
    """KEEPWARM_GOLDEN=write makes it anew."""
    path = repository / "docs" / "screenshots" / "top.svg"
    async with program(day).run_test(size=(120, 34)) as pilot:
        await until(pilot, all_there)
        await move_to(pilot, "c60000")
        if WRITES:
            drawn = pilot.app.export_screenshot(title="keepwarm top")
            path.write_text(re.sub(r"@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert "url(&quot;http" not in text
    assert 'url("http' not in text, "it loads nothing"
    for words in ("SEA001", "slots", "prefill"):
        assert words in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_screen(day: Path, size: tuple[int, int]) -> None:
    async with program(day).run_test(size=size) as pilot:
        text = await until(pilot, all_there)
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        check_golden(GOLDEN / f"{size[0]}x{size[1]}.txt", text)


async def test_a_terminal_that_is_not_utf8(day: Path) -> None:
    async with program(day, ascii_only=True).run_test(size=(80, 24)) as pilot:
        text = await until(pilot, all_there)
        assert text.isascii()
        check_golden(GOLDEN / "ascii.txt", text)


async def test_colours_off(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with program(day).run_test(size=(80, 24)) as pilot:
        text = await until(pilot, all_there)
        check_golden(GOLDEN / "80x24.txt", text)
        for strip in pilot.app.screen._compositor.render_strips():
            for one in pilot.app._filters:
                strip = strip.apply_filter(one, Color.parse("black")) if one.enabled else strip
            styles = [segment.style for segment in strip if segment.style is not None]
            assert all(style.color is None or style.color.is_default for style in styles)
            assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)


async def test_nothing_yet_then_it_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("ledger.sqlite")
    async with program(path, Told(Gateway(URL))).run_test(size=(80, 24)) as pilot:
        text = await until(pilot, lambda text: "keepwarm serve" in text)
        check_golden(GOLDEN / "empty.txt", text)
        write_ledger(path, *a_day())
        await until(pilot, lambda text: "ae0000" in text)


async def test_a_request_is_seen_as_it_comes_and_a_prefill_as_it_goes_on(day: Path) -> None:
    gateway = Told(Gateway(URL, LIVE))
    async with program(day, gateway).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda text: "42.0%" in text)
        running = LIVE.running[0]
        assert running.progress is not None
        done = replace(running, progress=replace(running.progress, processed=40_000))
        gateway.tell(Gateway(URL, replace(LIVE, running=(done,))))
        await until(pilot, lambda text: "97.7%" in text)
        ledger = Ledger(day)
        ledger.put(a_record(id="fe" + "0" * 22, at=NOON + 1, session=CLAUDE, lineage="aa01", turn=15))
        ledger.flush()
        await until(pilot, lambda text: "> 12:00:01 fe0000" in text)
        ledger.close()
        gateway.tell(Gateway(URL, trouble="it went away"))
        text = await until(pilot, lambda text: "it went away" in text)
        assert "slots" not in text
        assert "fe0000" in text, "the ledger is shown without a gateway"


async def test_alerts_of_what_happens_while_it_runs(day: Path) -> None:
    async with program(day).run_test(size=(200, 60)) as pilot:
        await until(pilot, all_there)
        await pilot.pause(0.2)
        assert "seen for the first time" not in seen(pilot.app)
        ledger = Ledger(day)
        broken = next(record for record in a_day() if record.verdict and record.verdict.causes == ("VOL001",))
        assert broken.verdict is not None
        verdict = replace(broken.verdict, causes=("ORD001",))
        ledger.put(replace(broken, id="ff" + "0" * 22, at=NOON + 1, verdict=verdict))
        ledger.flush()
        await until(pilot, lambda text: "ORD001" in text and "first time" in text)
        ledger.close()


async def test_enter_opens_the_verdict_and_d_the_diff(day: Path) -> None:
    async with program(day).run_test(size=(100, 40)) as pilot:
        await until(pilot, all_there)
        await move_to(pilot, "a50000")
        await pilot.press("enter")
        text = await until(pilot, lambda text: "What to do" in text)
        assert "Request a5" in text
        assert "keepwarm rule VOL001" in text
        await pilot.press("d")
        text = await until(pilot, lambda text: "against request" in text)
        check_golden(GOLDEN / "diff.txt", text)
        await pilot.press("v")
        await until(pilot, lambda text: "What to do" in text)
        await pilot.press("escape")
        await until(pilot, all_there)


async def test_enter_on_a_session_shows_only_its_requests_and_agents(day: Path) -> None:
    async with program(day).run_test(size=(120, 40)) as pilot:
        await until(pilot, all_there)
        await pilot.press("shift+tab", "down", "enter")
        text = await until(pilot, lambda text: "only b7d2e9f1" in text)
        assert " side bb02" in text
        assert "aa" not in "".join(line[11:13] for line in text.splitlines() if line[2:5] == "12:")
        await pilot.press("escape")
        await until(pilot, lambda text: "only" not in text.splitlines()[0] and "3fa8 main" in text)


async def test_n_goes_from_loss_to_loss(day: Path) -> None:
    async with program(day).run_test(size=(80, 24)) as pilot:
        await until(pilot, all_there)
        for name in ("c60000", "aa0000", "c40000", "c20000", "a50000", "c60000"):
            await pilot.press("n")
            await until(pilot, lambda text: any(line.startswith("> ") and name in line for line in text.splitlines()))  # noqa: B023


async def test_f_keeps_the_session_of_the_line(day: Path) -> None:
    async with program(day).run_test(size=(80, 24)) as pilot:
        await until(pilot, all_there)
        await pilot.press("f")
        text = await until(pilot, lambda text: f"only {CLAUDE[:8]}" in text)
        assert OTHER[:8] not in text
        await pilot.press("f")
        await until(pilot, lambda text: OTHER[:8] in text)


async def test_a_filter_by_words(day: Path) -> None:
    async with program(day).run_test(size=(80, 24)) as pilot:
        await until(pilot, all_there)
        await pilot.press("slash", *"qwen-code", "enter")
        text = await until(pilot, lambda text: "filter qwen-code" in text)
        assert "cc01" in text
        assert "ae0000" not in text
        await pilot.press("slash", *"zzz", "enter")
        await until(pilot, lambda text: "no session fits the filter" in text)
        await pilot.press("escape")
        await until(pilot, lambda text: "ae0000" in text)


async def test_periods_and_help(day: Path) -> None:
    async with program(day).run_test(size=(80, 24)) as pilot:
        await until(pilot, all_there)
        await pilot.press("w")
        await until(pilot, lambda text: "7 days" in text)
        await pilot.press("question_mark")
        text = await until(pilot, lambda text: "Esc          back" in text)
        check_golden(GOLDEN / "help.txt", text)
        await pilot.press("escape")
        await until(pilot, all_there)
        await pilot.press("q")
    assert pilot.app.return_code == 0


async def move_to(pilot: Pilot[None], record_id: str) -> None:
    """The cursor down to a request."""
    for _ in range(60):
        if any(line.startswith("> ") and record_id in line for line in seen(pilot.app).splitlines()):
            return
        await pilot.press("down")
    raise AssertionError(f"{record_id} is not in the list")
