"""What `keepwarm fix` has replaced: a dated copy of each file's bytes, and a note of what was written over them.

They lie in keepwarm's own data folder, readable for the user only: settings hold keys, and a project's folder is no
place for a copy of them. `undo` takes the newest note of a file, and then the one before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from keepwarm.clients import settings_file
from keepwarm.clients.settings_file import Found
from keepwarm.errors import SettingsError


class Note(msgspec.Struct, frozen=True):
    """One file that was written."""

    path: str
    """As it was named."""
    real: str
    """Where its bytes were: behind its links."""
    at: str
    """When, as 20261124T141500Z."""
    written: str
    """SHA-256 of what was written."""
    copy: str
    """The name of the copy beside the note; "" when there was no file before."""
    folders: tuple[str, ...] = ()
    """Folders that were made for it."""


class Backups:
    """The folder of copies and notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, found: Found, written: bytes, at: str) -> Path:
        """Copy what was found, before `written` takes its place. Gives back the note's path, for `settle` or `drop`.

        at  the time, as 20261124T141500Z. Raises SettingsError when there is no room for it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stem = self._free(at, found.real.name)
            copy = ""
            if found.raw is not None:
                copy = f"{stem}.bak"
                _write(self.folder / copy, found.raw)
            note = Note(str(found.path), str(found.real), at, _digest(written), copy)
            path = self.folder / f"{stem}.json"
            _write(path, msgspec.json.encode(note))
            return path
        except OSError as error:
            raise SettingsError(f"no backup can be kept in {self.folder}: {error.strerror or error}") from error

    def settle(self, path: Path, folders: tuple[Path, ...]) -> None:
        """Remember the folders that were made for the file."""
        if folders:
            note = msgspec.structs.replace(self._read(path), folders=tuple(str(folder) for folder in folders))
            path.write_bytes(msgspec.json.encode(note))

    def drop(self, path: Path) -> None:
        """Forget a note and its copy: nothing was written, or it is undone."""
        note = self._read(path)
        if note.copy:
            (self.folder / note.copy).unlink(missing_ok=True)
        path.unlink()

    def newest(self, path: Path) -> tuple[Path, Note] | None:
        """The newest note of a file, with the note's own path."""
        found: list[tuple[Path, Note]] = []
        for place in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(SettingsError):
                note = self._read(place)
                if note.path == str(path):
                    found.append((place, note))
        return max(found, key=lambda one: (one[1].at, one[0].name)) if found else None

    def before(self, note: Note) -> bytes | None:
        """The bytes that the file had; None when there was no file. Raises SettingsError when the copy is gone."""
        if not note.copy:
            return None
        try:
            return (self.folder / note.copy).read_bytes()
        except OSError as error:
            raise SettingsError(f"the backup {self.folder / note.copy} cannot be read: {error.strerror}") from error

    def undo(self, place: Path, note: Note) -> None:
        """Give a file its bytes back. Raises SettingsError when it was changed since; it is left alone then."""
        found = settings_file.look(Path(note.path))
        before = self.before(note)
        if found.raw is None or _digest(found.raw) != note.written or str(found.real) != note.real:
            where = f"its bytes before are in {self.folder / note.copy}" if note.copy else "it was not there before"
            raise SettingsError(
                f"{note.path} was changed after keepwarm wrote it, left alone: take the settings out by hand ({where})"
            )
        if before is None:
            settings_file.remove(found, tuple(Path(folder) for folder in note.folders))
        else:
            settings_file.put(found, before)
        self.drop(place)

    def _read(self, path: Path) -> Note:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError) as error:
            raise SettingsError(f"the note {path} cannot be read: {error}") from error

    def _free(self, at: str, name: str) -> str:
        """A stem that nothing has yet, behind all that there are: two fixes may happen in one second."""
        number = 1
        while any(self.folder.glob(f"{at}-{number:03d}-*")):
            number += 1
        return f"{at}-{number:03d}-{name}"


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _write(path: Path, raw: bytes) -> None:
    """To the disk, for the user only, never over another file."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
