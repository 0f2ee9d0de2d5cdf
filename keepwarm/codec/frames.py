"""Frames of a stream, as they come: Server-Sent Events and newline-delimited JSON, cut anywhere.

Source: WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6 (line ends CR, LF and CRLF, comments, a BOM, one
leading space taken off a value); JSON lines as Ollama streams them. A decoder keeps what is not finished
and never looks at the same byte twice.
"""

from __future__ import annotations

import msgspec


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One event of a stream."""

    event: str
    """The event's name; "" when the stream gives none (the standard's "message")."""
    data: bytes
    """The data lines joined by LF, without the last line end."""


class SseDecoder:
    """Cut an SSE byte stream into frames. Feed it chunks of any size; it returns the frames they finish."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._rest: list[bytes] = []
        self._held = 0
        self._open_cr = False
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0
        self._limit = limit
        self._first = True

    def feed(self, chunk: bytes) -> list[Frame]:
        """Frames finished by `chunk`. Raises ValueError when one event grows over the limit (bytes)."""
        self._rest.append(chunk)
        self._held += len(chunk)
        frames: list[Frame] = []
        if self._open_cr or b"\n" in chunk or b"\r" in chunk:
            self._lines(len(chunk), frames)
        if self._size + self._held > self._limit:
            raise ValueError(f"one event of the stream is over {self._limit} bytes")
        return frames

    def finish(self) -> list[Frame]:
        """The stream has ended: an event that lacks only its blank line is given, as servers drop that line."""
        frames: list[Frame] = []
        if rest := b"".join(self._rest):
            self._line(rest.removesuffix(b"\r"), frames)
            self._rest, self._held, self._open_cr = [], 0, False
        self._line(b"", frames)
        return frames

    def _lines(self, fresh: int, frames: list[Frame]) -> None:
        """Take the finished lines out of what is held, of which the last `fresh` bytes are new."""
        text = b"".join(self._rest)
        if b"\r" not in text:  # as nearly all servers write
            *lines, rest = text.split(b"\n")
            for line in lines:
                self._line(line, frames)
            self._rest, self._held, self._open_cr = [rest], len(rest), False
            return
        at = 0
        look = len(text) - fresh - self._open_cr
        while (end := _line_end(text, look)) is not None:
            stop, after = end
            self._line(text[at:stop], frames)
            at = look = after
        rest = text[at:]
        self._rest, self._held, self._open_cr = [rest], len(rest), rest.endswith(b"\r")

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            if self._data:
                frames.append(Frame(self._event, b"\n".join(self._data)))
            self._event, self._data, self._size = "", [], 0
            return
        if line.startswith(b"data: "):  # most lines
            name, value = b"data", line[6:]
        else:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")


class LineDecoder:
    """Cut newline-delimited JSON into lines; blank lines are left out."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._limit = limit

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines finished by `chunk`. Raises ValueError when one line grows over the limit (bytes)."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest, self._size = [], 0
        self._rest.append(rest)
        self._size += len(rest)
        if self._size > self._limit:
            raise ValueError(f"one line of the stream is over {self._limit} bytes")
        return [line for line in (piece.strip() for piece in lines) if line]

    def finish(self) -> list[bytes]:
        """The last line, when the stream ended without a line end."""
        line, self._rest, self._size = b"".join(self._rest).strip(), [], 0
        return [line] if line else []


def sse(event: str, data: bytes) -> bytes:
    """One SSE frame as bytes; `data` must be one line."""
    if event:
        return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


def _line_end(text: bytes, look: int) -> tuple[int, int] | None:
    """The next line end at or after `look`: (where the line stops, where the next begins)."""
    feed = text.find(b"\n", look)
    back = text.find(b"\r", look, feed if feed >= 0 else len(text))
    if back >= 0:
        if back + 1 == len(text):  # CR at the end of the chunk: LF may follow
            return None
        return back, back + 2 if text[back + 1] == 0x0A else back + 1
    return None if feed < 0 else (feed, feed + 1)
