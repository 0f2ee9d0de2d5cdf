"""A model server that thinks nothing: reads a request, writes 40 events rendered beforehand, each a send of its own.

    python -m bench.stub [--speech llamacpp|anthropic]      prints its port

Speaks HTTP by hand, so that it takes as little of the machine as possible from what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from typing import Final, cast, get_args

import uvloop

from bench.conversations import MARKER
from bench.replies import Speech, answer

SLOTS: Final = 64
"""A slot for every conversation: handing slots over is the engine's time, not the gateway's."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_MARKER: Final = MARKER.encode()
_ID_BYTES: Final = 30
_PROPS: Final = json.dumps(
    {
        "total_slots": SLOTS,
        "default_generation_settings": {"n_ctx": 1_048_576},
        "modalities": {"vision": False},
        "model_alias": "stub",
        "build_info": "stub",
    }
).encode()
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
)


class StubProtocol(asyncio.Protocol):
    """One connection; requests on it come one after another."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect a request; answer it when it is whole."""
        self._pieces.append(data)
        self._have += len(data)
        if not self._need:
            together = b"".join(self._pieces)
            end = together.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(together, 0, end)
            self._need = end + 4 + (int(length.group(1)) if length else 0)
        if self._have >= self._need:
            request = b"".join(self._pieces)
            self._pieces, self._have, self._need = [], 0, 0
            self._respond(request)

    def _respond(self, request: bytes) -> None:
        if request.startswith(b"GET /props ") and self._speech == "llamacpp":
            self._whole(200, _PROPS)
            return
        at = request.rfind(_MARKER) + len(_MARKER)
        if not request.startswith(b"POST ") or at < len(_MARKER):
            known = self._speech == "anthropic" and request.startswith(b"POST /v1/messages ")
            self._whole(400 if known else 404, b'{"error":{"message":"not here"}}')
            return
        parts = answer(self._speech, request[at : at + _ID_BYTES], len(request))
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        self._transport.write(_STREAM + chunks[0])
        self._loop.call_soon(self._go_on, chunks, 1)

    def _go_on(self, chunks: list[bytes], at: int) -> None:
        """One event in each pass of the loop: each leaves in a packet of its own, as tokens do."""
        if self._transport.is_closing():
            return
        if at == len(chunks) - 1:
            self._transport.write(chunks[at] + b"0\r\n\r\n")
            return
        self._transport.write(chunks[at])
        self._loop.call_soon(self._go_on, chunks, at + 1)

    def _whole(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(speech: Speech) -> None:
    """Listen on a free port, print it, serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(lambda: StubProtocol(speech), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--speech", choices=get_args(Speech), default="llamacpp")
    uvloop.run(serve(arguments.parse_args().speech))
