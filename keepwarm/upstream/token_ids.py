"""The tokens of a prompt as the server itself reads it: which questions get them, by what is spoken to it.

None of these takes a slot or runs the model. llama.cpp: `/apply-template` makes the prompt of a chat completions body
(of nothing else: a Messages body it takes for one without a system prompt), `/tokenize` its ids (server.cpp; seen on
xllamacpp 2026.10). vLLM: `/v1/chat/completions/render` and `/v1/messages/render` give the ids of the very request
where it runs with `--enable-scale-out` (else 403); `/tokenize` reads messages, tools and `chat_template_kwargs` of a
chat body (seen on vLLM 0.32). Other servers have none of them, and then nothing is known.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream import llamacpp
from keepwarm.upstream.api import Outgoing

T = TypeVar("T")
Said: TypeAlias = tuple[int, bytes]
"""Status and body of an answer; status 0 when nothing came."""
Questions: TypeAlias = Generator[Outgoing, Said, T]
_BUSY: Final = frozenset((0, 408, 429, 500, 502, 503, 504))


class Prompt(msgspec.Struct, frozen=True):
    """One prompt, as the server reads it."""

    ids: list[int]
    text: str = ""
    """"" where the server tells the ids alone."""


class NotTold(Exception):
    """The server did not say.

    never  it cannot be asked at all, so that nobody need try again
    """

    def __init__(self, never: bool) -> None:
        super().__init__("the server does not tell the tokens of a prompt")
        self.never = never


class Way(Protocol):
    """One way to ask."""

    def prompt(self, request: Outgoing) -> Questions[Prompt]:
        """The prompt that the server makes of `request`, which is one to generate with. Raises NotTold."""

    def words(self, request: Outgoing, ids: list[int]) -> Questions[str]:
        """The text of some of a prompt's ids. Raises NotTold."""

    def has_clock(self, request: Outgoing) -> Questions[bool]:
        """Whether its chat template may print the time: then an older prompt is made otherwise today."""


class LlamaCpp(msgspec.Struct, frozen=True):
    """llama.cpp: the text, then its tokens."""

    def prompt(self, request: Outgoing) -> Questions[Prompt]:
        """Two questions."""
        rendered = yield from _answer(llamacpp.render(request))
        counting = llamacpp.tokenize(rendered)
        if counting is None:
            raise NotTold(never=True)
        counted = yield from _answer(replace(counting, headers=request.headers))
        return Prompt(_ids(counted), llamacpp.prompt_of(rendered))

    def words(self, request: Outgoing, ids: list[int]) -> Questions[str]:
        """Not needed: the whole text is known."""
        return _decode((yield from _answer(_ask("/detokenize", request, tokens=ids))), _Words).content

    def has_clock(self, request: Outgoing) -> Questions[bool]:
        """`/props` holds the template."""
        props = yield from _answer(Outgoing("/props", b"", request.headers, "GET"))
        return b"strftime_now" in props or b'"chat_template"' not in props


class Render(msgspec.Struct, frozen=True):
    """vLLM's own rendering of a request."""

    def prompt(self, request: Outgoing) -> Questions[Prompt]:
        """One question."""
        said = yield from _answer(replace(request, path=f"{request.path}/render"))
        return Prompt(_decode(said, _Rendered).token_ids)

    def words(self, request: Outgoing, ids: list[int]) -> Questions[str]:
        """One question."""
        return (yield from _vllm_words(request, ids))

    def has_clock(self, request: Outgoing) -> Questions[bool]:
        """It does not show its template."""
        yield from ()
        return True


class Tokenize(Render, frozen=True):
    """vLLM's `/tokenize` of a chat body."""

    def prompt(self, request: Outgoing) -> Questions[Prompt]:
        """One question."""
        said = yield from _answer(replace(request, path="/tokenize"))
        return Prompt(_ids(said))


WAYS: Final[dict[tuple[str, str], tuple[Way, ...]]] = {
    ("llamacpp", "chat"): (LlamaCpp(),),
    ("chat", "chat"): (Render(), Tokenize(), LlamaCpp()),
    ("anthropic", "chat"): (Render(), Tokenize(), LlamaCpp()),
    ("anthropic", "anthropic"): (Render(),),
}
"""By the kind of server and the protocol that is spoken to it, the best first."""


def ways(kind: str, protocol: str) -> tuple[Way, ...]:
    """How such a server can be asked; none where no way is known."""
    return WAYS.get((kind, protocol), ())


def ask(row: tuple[Way, ...], request: Outgoing) -> Questions[tuple[Way, Prompt]]:
    """(the first way that leads somewhere, the prompt). Raises NotTold."""
    never = True
    for way in row:
        try:
            prompt = yield from way.prompt(request)
        except NotTold as error:
            never = never and error.never
        else:
            return way, prompt
    raise NotTold(never)


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[int]


class _Rendered(msgspec.Struct, frozen=True):
    token_ids: list[int]


class _Words(msgspec.Struct, frozen=True):
    content: str


class _Prompted(msgspec.Struct, frozen=True):
    prompt: str


class _Model(msgspec.Struct, frozen=True):
    model: str = ""


def _vllm_words(request: Outgoing, ids: list[int]) -> Questions[str]:
    model = _decode(request.body, _Model).model
    said = yield from _answer(_ask("/detokenize", request, model=model, tokens=ids))
    return _decode(said, _Prompted).prompt


def _ask(path: str, like: Outgoing, **members: object) -> Outgoing:
    return Outgoing(path, msgspec.json.encode(members), like.headers)


def _answer(question: Outgoing) -> Questions[bytes]:
    status, body = yield question
    if status != 200:
        raise NotTold(never=status not in _BUSY)
    return body


def _ids(said: bytes) -> list[int]:
    ids = _decode(said, _Tokens).tokens
    if not ids:  # llama.cpp's answer to a question that is vLLM's
        raise NotTold(never=True)
    return ids


def _decode(said: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(said, type=kind)
    except UNREADABLE:
        raise NotTold(never=True) from None
