"""Takes the usage chunk that keepwarm asked for out of a stream; every other byte passes as it came.

A server that is asked for usage (`stream_options.include_usage`) sends one more chunk, of no choices, behind the last.
A client that did not ask for it may take `choices[0]` of it and break. Source: the OpenAI API reference.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE

_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DATA: Final = re.compile(rb"^data: ?(.*?)$", re.MULTILINE)


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[msgspec.Raw]
    usage: dict[str, msgspec.Raw]


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


class UsageSieve:
    """Bytes of a stream in, the same bytes out, frame by frame, less the usage chunk."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """What of the stream can go on: whole frames, and no part of one."""
        self._rest += data
        out: list[bytes] = []
        at = 0
        for end in _END.finditer(self._rest, max(0, len(self._rest) - len(data) - 3)):
            frame = self._rest[at : end.end()]
            at = end.end()
            if not is_usage(frame):
                out.append(frame)
        self._rest = self._rest[at:]
        return b"".join(out)

    def finish(self) -> bytes:
        """The stream has ended: what is left of it."""
        rest, self._rest = self._rest, b""
        return b"" if is_usage(rest) else rest


def is_usage(frame: bytes) -> bool:
    """Whether a frame is a chunk that tells usage and nothing else."""
    if b'"usage"' not in frame:
        return False
    try:
        chunk = _CHUNK.decode(b"\n".join(line.rstrip(b"\r") for line in _DATA.findall(frame)))
    except UNREADABLE:
        return False
    return not chunk.choices
