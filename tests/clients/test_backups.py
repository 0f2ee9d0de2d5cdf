"""Copies and notes: what was written over comes back, byte for byte, or is left alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from keepwarm.clients.backups import Backups
from keepwarm.clients.settings_file import look, put
from keepwarm.errors import SettingsError

ODD = b'\xef\xbb\xbf{ "a":1,\r\n\t"b":"\\u00e9"}  \r\n\r\n'


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "kept" / "backups")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".claude" / "settings.json"


def write(backups: Backups, path: Path, raw: bytes, at: str = "20261124T141500Z") -> Path:
    """As `fix` does it."""
    found = look(path)
    note = backups.keep(found, raw, at)
    backups.settle(note, put(found, raw))
    return note


def undo(backups: Backups, path: Path) -> None:
    newest = backups.newest(path)
    assert newest is not None
    backups.undo(*newest)


def test_the_bytes_come_back(backups: Backups, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(ODD)
    write(backups, path, b"{}")
    undo(backups, path)
    assert path.read_bytes() == ODD
    assert backups.newest(path) is None
    assert list(backups.folder.iterdir()) == []


def test_what_was_not_there_is_not_there_again(backups: Backups, path: Path, tmp_path: Path) -> None:
    write(backups, path, b"{}")
    undo(backups, path)
    assert not (tmp_path / "home").exists()


def test_one_fix_after_the_other_and_back(backups: Backups, path: Path) -> None:
    write(backups, path, b"1")
    write(backups, path, b"2")
    write(backups, path, b"3", "20261125T000000Z")
    undo(backups, path)
    assert path.read_bytes() == b"2"
    undo(backups, path)
    assert path.read_bytes() == b"1"
    undo(backups, path)
    assert not path.exists()


def test_copies_are_for_the_user_only_and_dated(backups: Backups, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(ODD)
    note = write(backups, path, b"{}")
    copy = note.with_suffix(".bak")
    assert note.name == "20261124T141500Z-001-settings.json.json"
    assert copy.read_bytes() == ODD
    assert [stat.S_IMODE(one.stat().st_mode) for one in (backups.folder, note, copy)] == [0o700, 0o600, 0o600]


@pytest.mark.parametrize("there", [True, False])
def test_what_was_changed_since_is_left_alone(backups: Backups, path: Path, there: bool) -> None:
    if there:
        path.parent.mkdir(parents=True)
        path.write_bytes(ODD)
    write(backups, path, b"{}")
    path.write_bytes(b'{"mine": 1}')
    with pytest.raises(
        SettingsError, match=r"by hand \(its bytes before are in" if there else "it was not there before"
    ):
        undo(backups, path)
    assert path.read_bytes() == b'{"mine": 1}'
    path.unlink()
    with pytest.raises(SettingsError):
        undo(backups, path)
    assert not path.exists()


def test_each_file_has_its_own(backups: Backups, path: Path) -> None:
    other = path.with_name("other.json")
    write(backups, path, b"1")
    write(backups, other, b"2")
    undo(backups, other)
    assert path.read_bytes() == b"1"
    undo(backups, path)
    assert not path.parent.exists()


def test_a_note_that_cannot_be_read_is_passed_over(backups: Backups, path: Path) -> None:
    write(backups, path, b"1")
    (backups.folder / "zzz.json").write_bytes(b"{")
    assert backups.newest(path) is not None


def test_a_copy_that_is_gone_is_a_message(backups: Backups, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(ODD)
    write(backups, path, b"{}").with_suffix(".bak").unlink()
    with pytest.raises(SettingsError, match=r"the backup .* cannot be read"):
        undo(backups, path)
    assert path.read_bytes() == b"{}"


def test_without_a_backup_nothing_is_written(backups: Backups, path: Path) -> None:
    backups.folder.parent.mkdir(parents=True)
    backups.folder.write_bytes(b"a file in its place")
    with pytest.raises(SettingsError, match="no backup can be kept"):
        backups.keep(look(path), b"{}", "20261124T141500Z")
