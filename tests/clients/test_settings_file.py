"""A settings file as bytes: the shapes it comes in, and that it is whole or as it was."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from keepwarm.clients import settings_file
from keepwarm.clients.settings_file import look, put, remove, understand
from keepwarm.codec.jsonc import JSONC, STRICT
from keepwarm.errors import SettingsError

OLD, NEW = b'{"a": 1}', b'{"a": 2}'


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    path.write_bytes(OLD)
    return path


def test_a_file_is_replaced_with_mode_and_owner(path: Path) -> None:
    path.chmod(0o640)
    os.chown(path, os.getuid(), os.getgid())
    assert put(look(path), NEW) == ()
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(path.parent) == {"settings.json"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_the_owner_stays_the_owner_though_root_writes(path: Path) -> None:
    os.chown(path, 1234, 1235)
    put(look(path), NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_a_file_that_is_not_there_is_made_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "settings.json"
    found = look(path)
    assert found.raw is None
    made = put(found, NEW)
    assert made == (tmp_path / "one", tmp_path / "one" / "two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    remove(look(path), made)
    assert names(tmp_path) == set()


def test_a_folder_with_something_else_in_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "one" / "settings.json"
    made = put(look(path), NEW)
    (tmp_path / "one" / "other").touch()
    remove(look(path), made)
    assert names(tmp_path / "one") == {"other"}


def test_a_symlink_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, path: Path) -> None:
    (tmp_path / "dots").mkdir()
    real = path.rename(tmp_path / "dots" / "claude.json")
    path.symlink_to("dots/claude.json")
    chain = tmp_path / "chain.json"
    chain.symlink_to(path)
    put(look(chain), NEW)
    assert (chain.is_symlink(), path.is_symlink(), real.read_bytes()) == (True, True, NEW)


def test_a_symlink_to_nothing_yet_makes_the_file_it_names(tmp_path: Path) -> None:
    link = tmp_path / "settings.json"
    link.symlink_to("elsewhere.json")
    put(look(link), NEW)
    assert link.is_symlink()
    assert (tmp_path / "elsewhere.json").read_bytes() == NEW


def test_links_in_a_circle_are_a_message(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(SettingsError, match="cannot be read"):
        look(one)


def test_a_folder_in_its_place_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        look(tmp_path)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_left_alone(path: Path, what: str) -> None:
    target = path if what == "file" else path.parent
    target.chmod(0o444 if what == "file" else 0o555)
    try:
        with pytest.raises(SettingsError, match=r"read-only; .* chmod u\+w"):
            put(look(path), NEW)
    finally:
        target.chmod(0o755)
    assert path.read_bytes() == OLD
    assert names(path.parent) == {"settings.json"}


def test_what_somebody_writes_meanwhile_is_not_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = look(path)
    flush = os.fsync

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", flush)
        path.write_bytes(b"{}")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(SettingsError, match="changed by another program at this moment"):
        put(found, NEW)
    assert path.read_bytes() == b"{}"
    assert names(path.parent) == {"settings.json"}


@pytest.mark.parametrize("late", [False, True])
def test_a_file_that_comes_to_be_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    path = tmp_path / "settings.json"
    found = look(path)
    if late:  # between the last look and the name
        link = os.link

        def meanwhile(source: Path, target: Path) -> None:
            path.write_bytes(OLD)
            link(source, target)

        monkeypatch.setattr(os, "link", meanwhile)
    else:
        path.write_bytes(OLD)
    with pytest.raises(SettingsError, match="changed by another program"):
        put(found, NEW)
    assert path.read_bytes() == OLD
    assert names(tmp_path) == {"settings.json"}


def test_a_file_that_went_away_meanwhile_is_not_made_anew(path: Path) -> None:
    found = look(path)
    path.unlink()
    with pytest.raises(SettingsError):
        put(found, NEW)
    assert names(path.parent) == set()


def test_a_full_disk_leaves_it_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        put(look(path), NEW)
    assert path.read_bytes() == OLD
    assert names(path.parent) == {"settings.json"}


def test_what_was_changed_is_not_removed(path: Path) -> None:
    found = look(path)
    path.write_bytes(NEW)
    with pytest.raises(SettingsError):
        remove(found, ())
    assert path.read_bytes() == NEW


def test_a_byte_order_mark_stays(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    said = understand(look(path), STRICT, "Claude Code")
    assert said.text == '{"a": 1}'
    assert said.bytes_of('{"a": 2}') == b'\xef\xbb\xbf{"a": 2}'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            b'{\n "a": 1, // c\n}',
            "line 2, column 10: a comment, which strict JSON does not have. Claude Code cannot read",
        ),
        (b'{\n "a": 1\n "b": 2}', "line 3, column 2"),
        ('{"a": "é"}'.encode("latin-1"), "line 1: not UTF-8 (byte 7)"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_what_its_reader_cannot_read_is_a_message(path: Path, raw: bytes, words: str) -> None:
    path.write_bytes(raw)
    with pytest.raises(SettingsError) as error:
        understand(look(path), STRICT, "Claude Code")
    assert words in str(error.value)
    assert str(path) in str(error.value)


def test_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert understand(look(tmp_path / "none"), JSONC, "").root is None
    assert settings_file.NEW_MODE == 0o600
