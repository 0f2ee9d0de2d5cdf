"""Following a server's log file while an experiment runs: what is new in it, also over a rotation or a truncation."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from keepwarm.checks.server_log import LogReader
from keepwarm.checks.trial import Arm, LogStory
from keepwarm.errors import ConfigError


class ServerLog:
    """A log file, from its present end on. Its text goes into the reader and nowhere else."""

    def __init__(self, path: Path, of: str, make: str, slots: int = 0) -> None:
        """of     which log it is, for a person
        make   the server's: "llama.cpp", "vLLM" ...
        slots  of a server of our own, which tells the last prompt of a slot only when another takes its place
        """
        self.slots = slots
        self._path, self._of, self._make = path, of, make
        self._reader = LogReader()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Raises ConfigError where there is no file to read."""
        if self._path.exists() and not self._path.is_file():
            raise ConfigError(f"{self._path} is no file: --server-log takes the file that the server's log goes to")
        try:
            self._file = self._path.open("rb")
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise ConfigError(
                f"{self._path}: {error.strerror}: --server-log takes the file that the server's log goes to "
                "(llama-server ... --verbose --log-file FILE)"
            ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, arm: Arm, session: str) -> None:
        """A session of an arm begins: what was written until now counts for the one before."""
        self.read()
        self._reader.begin(arm, session)

    def read(self) -> None:
        """Take what is new. A file that became shorter is read from its beginning, a new one under the name as well."""
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
        self._take(self._file)
        try:
            there = self._path.stat()
            if os.path.samestat(there, os.fstat(self._file.fileno())):
                return
            newer = self._path.open("rb")
        except OSError:  # in the middle of a rotation: the next look finds it
            return
        self._file.close()
        self._file = newer
        self._take(newer)

    def story(self) -> LogStory:
        """What it said, to its end."""
        self.read()
        return self._reader.story(self._of, self._make)

    def _take(self, file: IO[bytes]) -> None:
        while piece := file.read(1 << 20):
            self._reader.take(piece.decode("utf-8", "replace"))
