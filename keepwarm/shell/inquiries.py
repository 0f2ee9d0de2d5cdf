"""Verdicts made exact beside the traffic: one question at a time, none of them ever in a request's way.

A question waits until no request is in flight, at most PATIENCE_SECONDS: to render and to tokenise takes no slot of
the server's, but on a small machine it takes a core. The latest LIMIT questions wait, older ones are given up, and so
is one that takes longer than SECONDS. When the gateway stops, all of them are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Generator
from typing import Final

from msgspec.structs import replace

from keepwarm.exchange.commands import Answered, Ask
from keepwarm.exchange.exact import Inquiry, Question
from keepwarm.ledger.records import Record, Verdict
from keepwarm.shell.client import Upstream

log = logging.getLogger("keepwarm")
LIMIT: Final = 32
"""Questions that may wait."""
SECONDS: Final = 20.0
"""How long the answers to one may take."""
PATIENCE_SECONDS: Final = 5.0
"""How long a question waits for a moment without traffic."""
AGAIN_SECONDS: Final = 600.0
"""When a server that cannot tell is asked again: it may have been started anew, with other options."""


class Inquiries:
    """The questions of one gateway.

    amended  is told of each record whose verdict is a better one now
    anew     is told when the server turns out to have been started anew
    """

    def __init__(
        self, upstream: Upstream, amended: Callable[[Record], None], anew: Callable[[], None] = lambda: None
    ) -> None:
        self._upstream = upstream
        self._amended = amended
        self._anew = anew
        self._waiting: deque[Question] = deque(maxlen=LIMIT)
        self._flying = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._worker: asyncio.Task[None] | None = None
        self._mute: dict[str, float] = {}
        self._stopped = False
        self._asked = ""

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """While a request is served."""
        self._flying += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._flying -= 1
            if not self._flying:
                self._quiet.set()

    def put(self, question: Question) -> None:
        """Ask when there is time."""
        now = asyncio.get_running_loop().time()
        if question.exact and now < self._mute.get(_spoken(question), 0.0):
            question = replace(question, exact=False)
        if self._stopped or not (question.exact or question.tally):
            return
        self._waiting.append(question)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())

    def has(self, record_id: str) -> bool:
        """Whether there is still a question about a request."""
        return record_id == self._asked or any(question.record.id == record_id for question in self._waiting)

    async def settled(self) -> None:
        """Returns when nothing is left to ask."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def stop(self) -> None:
        """Ask nothing more."""
        self._stopped = True
        self._waiting.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        try:
            while self._waiting:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await self._quiet.wait()
                await self._settle(self._waiting.popleft())
        finally:
            self._worker = None

    async def _settle(self, question: Question) -> None:
        self._asked = question.record.id
        try:
            async with asyncio.timeout(SECONDS):
                await self._ask(question)
        except TimeoutError:
            pass
        except Exception:  # the log learns of it: the verdict stays as it was
            log.exception("a verdict could not be made exact: please report this")
        finally:
            self._asked = ""

    async def _ask(self, question: Question) -> None:
        inquiry = Inquiry(question)
        steps = inquiry.run()
        answer: Answered | None = None
        while True:
            # In a thread: ids of a long prompt take milliseconds to read and to compare.
            asked = await asyncio.to_thread(_step, steps, answer)
            if not isinstance(asked, Ask):
                break
            status, body = await self._upstream.ask(asked.request)
            answer = Answered(status, body, 0.0)
        if inquiry.anew:
            self._anew()
        if inquiry.never:
            self._mute[_spoken(question)] = asyncio.get_running_loop().time() + AGAIN_SECONDS
        if asked is not None and asked != question.record.verdict:
            self._amended(replace(question.record, verdict=asked))


def _spoken(question: Question) -> str:
    return f"{question.dialect.protocol}@{question.dialect.name}"


def _step(steps: Generator[Ask, Answered, Verdict | None], answer: Answered | None) -> Ask | Verdict | None:
    """The next thing to ask, or what came of it all."""
    try:
        return next(steps) if answer is None else steps.send(answer)
    except StopIteration as over:
        verdict: Verdict | None = over.value
        return verdict
