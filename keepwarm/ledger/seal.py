"""How what stands is sealed: there is prompt text in the ledger, but for those only who send the conversation again.

The key of a conversation is made of its secret (`core/secret.py`: what its first turn says, which the client shows with
each request and nobody stores) and of 32 random bytes in a file beside the ledger. So the ledger alone tells nothing,
not even to someone who guesses how a conversation began, and the file beside it nothing at all.

Sealed is `nonce (12 bytes) + AES-256-GCM of zstd of the row`; where it stands is authenticated with it, so that no row
can take another's place. Places and names in the file are keyed digests, BLAKE2b.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import blake2b
from pathlib import Path
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keepwarm.errors import LedgerError

FORMAT: Final = b"1"
"""Of what is sealed: another one cannot be read, and is taken for a conversation that is not known."""
KEY_BYTES: Final = 32
NAME_BYTES: Final = 16
_NONCE: Final = 12


class Unreadable(Exception):
    """A sealed row that this secret does not open."""


class Seal:
    """The random half of every key; `lock` gives the other half's holder what to seal and open with."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def place(self, secret: bytes) -> bytes:
        """Where conversations with this secret are."""
        return _derive(secret, self._salt, b"keepwarm/place", NAME_BYTES)

    def name(self, said: bytes) -> bytes:
        """What stands in the file for an owner or the id of a lineage."""
        return _derive(said, self._salt, b"keepwarm/name", NAME_BYTES)

    def lock(self, secret: bytes) -> Lock:
        """To seal and open with."""
        return Lock(_derive(secret, self._salt, b"keepwarm/lock", KEY_BYTES))


class Lock:
    """Seals and opens the rows of the conversations with one secret. For one thread."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derive(b"", key, b"keepwarm/rows", KEY_BYTES))
        self._names = _derive(b"", key, b"keepwarm/names", KEY_BYTES)

    def name(self, row: bytes) -> bytes:
        """What stands in the file for the name of a row."""
        return _derive(row, self._names, b"keepwarm/row", NAME_BYTES)

    def shut(self, value: bytes, place: bytes) -> bytes:
        """`value` sealed; `place` is where it stands: what names the conversation and the row."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, zstandard.ZstdCompressor().compress(value), FORMAT + place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The value. Raises Unreadable for another key's, for another place's and for a damaged one."""
        try:
            packed = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], FORMAT + place)
            return zstandard.ZstdDecompressor().decompress(packed)
        except (InvalidTag, ValueError, zstandard.ZstdError) as error:
            raise Unreadable("another key's, or damaged") from error


def key_file(ledger: Path) -> Path:
    """The file beside a ledger that has the random half of its keys."""
    return ledger.with_name(f"{ledger.name}.key")


def load_seal(ledger: Path) -> Seal:
    """The seal of a ledger; its file is made (mode 0600) when there is none.

    Without that file all that is sealed is lost, and conversations begin anew. Raises LedgerError saying what to do.
    """
    path = key_file(ledger)
    try:
        if not path.exists():
            _make(path)
        path.chmod(0o600)
        salt = path.read_bytes()
    except OSError as error:
        raise LedgerError(
            f"the key file {path} cannot be used ({error.strerror}): make it readable and writable for keepwarm, or "
            "set journal = false under [ledger]"
        ) from error
    if len(salt) != KEY_BYTES:
        raise LedgerError(f"the key file {path} is damaged: move it away, and a new one is made")
    return Seal(salt)


def _make(path: Path) -> None:
    """The file appears whole or not at all; of two gateways that start at once the first one's stays."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, os.urandom(KEY_BYTES))
        os.fsync(handle)
    finally:
        os.close(handle)
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _derive(said: bytes, key: bytes, person: bytes, size: int) -> bytes:
    return blake2b(said, key=key, person=person, digest_size=size).digest()
