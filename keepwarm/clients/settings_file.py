"""A settings file as bytes: read, understood, and put back in one step.

A file is replaced whole: the new text goes into a file beside it, to the disk, and takes its name. Whoever reads at
that moment sees the old text or the new one. A symlink is followed: the file it leads to is replaced, the link stays.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

import msgspec

from keepwarm.codec.jsonc import Dialect, Node, parse
from keepwarm.errors import SettingsError

NEW_MODE = 0o600
"""Of a file that was not there: settings hold keys sooner or later."""


class Found(msgspec.Struct, frozen=True):
    """A settings file as it was found."""

    path: Path
    """As it is named."""
    real: Path
    """Where its bytes are: behind its links."""
    raw: bytes | None
    """None when there is no such file."""


class Text(msgspec.Struct, frozen=True):
    """What a settings file says."""

    text: str
    """Without a byte-order mark."""
    root: Node | None
    """None when it says nothing."""
    mark: bytes = b""
    """The byte-order mark in front."""

    def bytes_of(self, text: str) -> bytes:
        """Another text as the bytes of this file."""
        return self.mark + text.encode("utf-8")


def look(path: Path) -> Found:
    """The file at `path`. Raises SettingsError when it is there and cannot be read."""
    try:
        real = path.resolve()
        return Found(path, real, real.read_bytes())
    except FileNotFoundError:
        return Found(path, path.resolve(), None)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other, before Python 3.13
        raise SettingsError(f"{path} cannot be read: {_reason(error)}") from error


def understand(found: Found, dialect: Dialect, reader: str) -> Text:
    """What a file says.

    reader  the program that reads it, as its name is written

    Raises SettingsError with line and column when `reader` cannot read it; the file is to be left alone then.
    """
    raw = found.raw or b""
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise SettingsError(f"{found.path} is UTF-16, left alone: save it as UTF-8 first")
    mark = BOM_UTF8 if raw.startswith(BOM_UTF8) else b""
    try:
        text = raw[len(mark) :].decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        said = f"{found.path}, line {line}: not UTF-8 (byte {error.start}), left alone: save it as UTF-8 first"
        raise SettingsError(said, line=line) from error
    try:
        return Text(text, parse(text, dialect), mark)
    except SettingsError as error:
        said = f"{found.path}, {error}. {reader} cannot read the file either: mend this place, then run it again"
        raise SettingsError(said, line=error.line, column=error.column) from error


def put(found: Found, raw: bytes) -> tuple[Path, ...]:
    """Replace a file's bytes, or make the file. Gives back the folders that were made for it, the outermost first.

    Raises SettingsError when it cannot be written, or when it is no longer what was found; it is as it was then.
    """
    made = _make_folders(found)
    try:
        _refuse_read_only(found)
        _replace(found, raw)
    except OSError as error:
        _remove_folders(made)
        raise SettingsError(f"{found.path} cannot be written: {_reason(error)}; {_whose(found)}") from error
    except SettingsError:
        _remove_folders(made)
        raise
    return made


def remove(found: Found, folders: tuple[Path, ...]) -> None:
    """Take away a file that was made, and the folders that were made for it as far as they are empty."""
    try:
        if look(found.path).raw != found.raw:
            raise _changed(found)
        found.real.unlink()
    except OSError as error:
        raise SettingsError(f"{found.path} cannot be removed: {_reason(error)}") from error
    _remove_folders(folders)


def _replace(found: Found, raw: bytes) -> None:
    target = found.real
    beside = target.with_name(f".{target.name}.keepwarm-{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), NEW_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            if found.raw is not None:
                _liken(file.fileno(), target.stat())
            os.fsync(file.fileno())
        # As late as can be: what somebody else has written meanwhile must not be lost.
        if look(found.path).raw != found.raw:
            raise _changed(found)
        if found.raw is None:
            os.link(beside, target)  # unlike a rename it fails where a file has come to be
        else:
            os.replace(beside, target)
    except FileExistsError as error:
        raise _changed(found) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    _settle(target.parent)


def _liken(descriptor: int, old: os.stat_result) -> None:
    """Owner and mode of the file that is replaced."""
    if os.name != "posix":
        return
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _settle(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_read_only(found: Found) -> None:
    """A file that nobody may write to was made so on purpose: a rename would go round that, and for root any write."""
    for path, what in ((found.real, "the file"), (found.real.parent, "its folder")):
        with contextlib.suppress(FileNotFoundError):
            if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
                raise SettingsError(f"{found.path} cannot be written: {what} is read-only; {_whose(found)}")


def _whose(found: Found) -> str:
    return f"change it where it comes from, or allow writing first: chmod u+w {found.real}"


def _make_folders(found: Found) -> tuple[Path, ...]:
    missing: list[Path] = []
    folder = found.real.parent
    while not folder.exists():
        missing.insert(0, folder)
        folder = folder.parent
    try:
        found.real.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{found.path} cannot be made: {_reason(error)}") from error
    return tuple(missing)


def _remove_folders(folders: tuple[Path, ...]) -> None:
    with contextlib.suppress(OSError):  # something else is in it by now
        for folder in reversed(folders):
            folder.rmdir()


def _changed(found: Found) -> SettingsError:
    return SettingsError(f"{found.path} was changed by another program at this moment, left alone: run it again")


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
