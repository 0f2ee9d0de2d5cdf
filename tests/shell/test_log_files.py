"""Log files on disk: their order, what is left out, and what is said of one that is broken."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.errors import LogError
from keepwarm.shell.log_files import Found, LogFiles
from tests.logs.samples import NOON, a_tape
from tests.logs.stage import WRITERS, har, pairs

TAPE = a_tape(4)
FILES = {name: write(TAPE) for name, write in WRITERS.items()}


def found(*paths: Path) -> tuple[list[Found], LogFiles]:
    with LogFiles(list(paths)) as files:
        return list(files.exchanges()), files


def tried(path: Path) -> tuple[list[Found], str]:
    """The exchanges of a file, or none and the error's words."""
    try:
        return found(path)[0], ""
    except LogError as error:
        return [], str(error)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def put(name: str, data: bytes) -> Path:
        (path := tmp_path / name).parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return put


Put = Callable[[str, bytes], Path]


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_exchanges_in_the_order_of_time(name: str, put: Put) -> None:
    rows, files = found(put(name, FILES[name]))
    assert [row.exchange.at for row in rows] == [NOON + minute * 60 for minute in range(4)]
    assert [row.exchange.body for row in rows] == [one.body for one in TAPE]
    assert [row.exchange.answer for row in rows] == [one.answer for one in TAPE]
    assert files.skipped.total() == 0
    assert len({row.id for row in rows}) == 4
    unit, last = ("entry", 1) if name == "har" else ("line", 4)
    assert rows[-1].place == f"{name}, {unit} {last}"


def test_several_files_are_one_log(put: Put) -> None:
    one, two = put("a/x.jsonl", pairs(TAPE[1::2])), put("b/x.jsonl", pairs(TAPE[::2]))
    rows, files = found(one, two)
    assert [row.exchange.at for row in rows] == sorted(row.exchange.at for row in rows)
    assert files.names == ("x.jsonl (1)", "x.jsonl (2)")


def test_one_exchange_in_two_logs_is_one(put: Put) -> None:
    rows, files = found(put("a.har", FILES["har"]), put("a.jsonl", FILES["jsonl"]), put("t", FILES["claude-trace"]))
    assert len(rows) == 4
    assert files.skipped == {"the same exchange once more": 8}


def test_lines_of_several_kinds(put: Put) -> None:
    count = pairs([TAPE[0]]).replace(b"/v1/messages?", b"/v1/messages/count_tokens?")
    rows, files = found(put("l", b"\n" + FILES["jsonl"] + b'  \n{"a": 1}\n' + count + b"[1]"))
    assert len(rows) == 4
    assert rows[0].place == "l, line 2"
    assert sorted(files.skipped.elements()) == [
        "it is no JSON object",
        "its members are those of no log that keepwarm knows",
        "other paths (count_tokens)",
    ]


def test_a_byte_order_mark_and_windows_line_ends(put: Put) -> None:
    rows, _ = found(put("l", b"\xef\xbb\xbf" + FILES["jsonl"].replace(b"\n", b"\r\n")))
    assert [row.exchange.body for row in rows] == [one.body for one in TAPE]
    assert len(found(put("h", b"\xef\xbb\xbf" + FILES["har"]))[0]) == 4


def test_a_list_of_exchanges(put: Put) -> None:
    rows, _ = found(put("l.json", b"[" + b",\n".join(FILES["jsonl"].splitlines()) + b"]"))
    assert [row.place for row in rows] == [f"l.json, element {number}" for number in (1, 2, 3, 4)]


def test_a_last_line_that_is_cut_off_is_left_out_and_said(put: Put) -> None:
    rows, files = found(put("l", FILES["jsonl"][:-30]))
    assert len(rows) == 3
    assert files.notes == ["The last line of l (line 4) is cut off: it is left out."]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "l is empty"),
        (b'{"time": 1', "l, line 1: the file is cut off here"),
        (FILES["jsonl"] + b"oops\n" + FILES["jsonl"], "l, line 5: this is no JSON"),
        (b"GET /v1/messages 200\n", "l, line 1: this is no JSON"),
        (FILES["har"][:-40], r"l, line \d+: the file is cut off here: export it again"),
        (b'{"log": {"entries": []}}', "there is no request in it"),
        (b'{"level": "info"}\n', "l, line 1: its members are those of no log"),
        (b'{"time": 1, "request": {}}\n', "l, line 1: there is neither a url nor a path"),
        (b'{"type": "user", "sessionId": "s"}\n', "claude-trace"),
        (b"SQLite format 3\x00", "--ledger"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, told: str, put: Put) -> None:
    with pytest.raises(LogError, match=told):
        found(put("l", data))


def test_an_unknown_shape_is_answered_with_those_that_are_known(put: Put) -> None:
    with pytest.raises(LogError, match=r"(?s)HAR 1\.2: .*claude-trace: ") as caught:
        found(put("l", b'{"level": "info"}\n'))
    assert str(put("l", b"").parent) not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(LogError, match=r"cannot be read .*: name another file"):
            found(path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1))
def test_a_file_cut_anywhere_gives_fewer_exchanges_or_an_error(name: str, part: float) -> None:
    data = FILES[name]
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "cut").write_bytes(data[: int(len(data) * part)])
        rows, told = tried(path)
    assert [row.exchange.body for row in rows] == [one.body for one in TAPE[: len(rows)]]
    assert rows or "cut" in told


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1), st.binary(min_size=1, max_size=4))
def test_a_file_with_noise_in_it_gives_no_traceback(name: str, part: float, noise: bytes) -> None:
    at = int(len(FILES[name]) * part)
    data = FILES[name][:at] + noise + FILES[name][at + len(noise) :]
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "noisy").write_bytes(data)
        rows, told = tried(path)
    assert len(rows) <= 4
    assert "noisy" in told or not told


def test_har_is_sorted(put: Put) -> None:
    rows, _ = found(put("h", har(TAPE[2:] + TAPE[:2])))
    assert [row.exchange.at for row in rows] == [one.at for one in TAPE]
