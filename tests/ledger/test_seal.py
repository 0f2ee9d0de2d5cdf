"""Sealed rows: opened with the same secret at the same place, and in no other way."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from keepwarm.errors import LedgerError
from keepwarm.ledger.seal import KEY_BYTES, Seal, Unreadable, key_file, load_seal

SECRET = b"s" * 32


def test_what_is_shut_opens_with_its_secret_at_its_place_only() -> None:
    lock = Seal(b"k" * KEY_BYTES).lock(SECRET)
    sealed = lock.shut(b"pelican " * 9, b"here")
    assert b"pelican" not in sealed
    assert lock.open(sealed, b"here") == b"pelican " * 9
    others = (Seal(b"k" * KEY_BYTES).lock(b"t" * 32), Seal(b"l" * KEY_BYTES).lock(SECRET))
    for opener, place, bytes_ in (
        (lock, b"there", sealed),
        *((other, b"here", sealed) for other in others),
        (lock, b"here", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (lock, b"here", b""),
    ):
        with pytest.raises(Unreadable):
            opener.open(bytes_, place)


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    first = load_seal(ledger)
    assert load_seal(ledger).place(SECRET) == first.place(SECRET)
    assert stat.S_IMODE(key_file(ledger).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite.key"]


def test_a_key_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    key_file(tmp_path / "ledger.sqlite").write_bytes(b"short")
    with pytest.raises(LedgerError, match=r"ledger\.sqlite\.key is damaged: move it away"):
        load_seal(tmp_path / "ledger.sqlite")
