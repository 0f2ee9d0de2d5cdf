"""Conversations towards a server of the client's own protocol, written in any style, with what must leave for each.

Each piece is made twice, as the client writes it and as it has to go on, so that a test compares whole bodies byte
for byte. The styles (white space, escapes, fields that nobody knows) are those that a serialiser would not keep.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import strategies as st

from keepwarm.core.answer import Answer, Call
from keepwarm.exchange.stabilise import Stabiliser, Stable
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.session.journal import Journal
from keepwarm.session.lineage import Sent
from keepwarm.upstream.api import Outgoing, Traits
from keepwarm.upstream.registry import dialect
from keepwarm.wire.fronts import FRONTS

COUNTDOWN = "<total_tokens>812345 tokens left</total_tokens>"
HEADER = "x-anthropic-billing-header: cc_version=2.1.114.c39; cc_entrypoint=cli; cch=56445;"
REMINDER = "<system-reminder>\\nbe brief\\n</system-reminder>"
_WORDS = ('"go on"', '"caf\\u00e9 \\/ \\t"', '"π 😀"', f'"{HEADER}"', f'"see {COUNTDOWN} there"')


class Sender:
    """One conversation's way through the stabiliser and out again."""

    def __init__(
        self, rules: RuleBook | None = None, model: str = "", kind: str = "anthropic", front: str = "anthropic"
    ) -> None:
        self._journal = Journal()
        self._rules = rules or rule_book()
        self._front = FRONTS[front]
        self._dialect = dialect(Traits(kind), model, front)
        self._count = 0
        self.stable: Stable | None = None
        """Of the latest request."""

    def send(self, body: bytes) -> bytes:
        """What leaves for `body`."""
        return self.outgoing(body).body

    def outgoing(self, body: bytes) -> Outgoing:
        """The request that leaves for `body`, and stands from now on."""
        parsed = self._front.parse(body)
        stable = Stabiliser(self._journal, self._rules, self._dialect, self._front).run(parsed, "session", "")
        head = self._journal.stand(self._journal.group(stable.group), stable.lineage, stable.standing, stable.head)
        self._count += 1
        sent = Sent(str(self._count), stable.keys, head, stable.options, trail=stable.trail)
        self._journal.sent(stable.group, stable.lineage, sent)
        self.stable = stable
        return self._dialect.request(stable.draft)

    def answered(self, answer: Answer) -> None:
        """The server generated this for the latest request."""
        assert self.stable is not None, "no request yet"
        self._journal.answers.remember(self.stable.group, answer)

    def codes(self) -> list[str]:
        """The rules that fired on the latest request, in order, edits that stand left out."""
        assert self.stable is not None, "no request yet"
        return [note.code for note in self.stable.notes if not note.standing]


class Piece(NamedTuple):
    """A JSON value as the client writes it, and as it goes on; None when it does not."""

    before: bytes
    after: bytes | None

    @property
    def changed(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after


class Message(NamedTuple):
    """One message, and what the server had generated before the client wrote it."""

    role: str
    piece: Piece
    generated: tuple[Answer, ...] = ()


class Conversation(NamedTuple):
    """A request's members around its messages, which have a style of their own."""

    front: bytes
    """All up to the array's first element."""
    front_after: bytes
    back: bytes
    """All behind the array's last element."""
    back_after: bytes
    comma: bytes
    messages: tuple[Message, ...]

    def before(self, count: int) -> bytes:
        """The client's body with so many messages."""
        return self.front + self.comma.join(one.piece.before for one in self.messages[:count]) + self.back

    def after(self, count: int) -> bytes:
        """The body that has to leave for it: what was touched is a turn, written anew without white space between."""
        rows: list[bytes] = []
        turn: list[Message] = []
        for one in (*self.messages[:count], None):
            if turn and (one is None or "assistant" in (one.role, turn[0].role)):
                joint = b"," if any(mine.piece.changed for mine in turn) else self.comma
                kept = [mine.piece.after for mine in turn if mine.piece.after is not None]
                rows += [joint.join(kept)] if kept else []
                turn = []
            turn += [one] if one is not None else []
        return self.front_after + self.comma.join(rows) + self.back_after


class Style(NamedTuple):
    """How one client writes JSON."""

    comma: str
    colon: str

    def object(self, *members: tuple[str, str]) -> str:
        """An object's text."""
        return "{" + self.comma.join(f'"{name}"{self.colon}{value}' for name, value in members) + "}"

    def array(self, *values: str) -> str:
        """An array's text."""
        return "[" + self.comma.join(values) + "]"


styles = st.sampled_from((Style(",", ":"), Style(", ", ": "), Style("\n,\t", " :  ")))
words = st.sampled_from(_WORDS)
_extras = st.sampled_from(
    ((), (("cache_control", '{"type": "ephemeral"}'),), (("novel", '{"a":[1,2.50,"\\u0041"],"b" : null}'),))
)


@st.composite
def _heard(draw: st.DrawFn, style: Style) -> Piece:
    kind = draw(st.sampled_from(("words", "result", "result of parts", "image", "unknown", "countdown")))
    said, extras = draw(words), draw(_extras)
    if kind == "countdown":
        return Piece(style.object(("type", '"text"'), ("text", f'"{COUNTDOWN}"')).encode(), None)
    inner = {
        "words": (("type", '"text"'), ("text", said)),
        "result": (("tool_use_id", '"toolu_1"'), ("content", said), ("type", '"tool_result"'), ("is_error", "false")),
        "result of parts": (
            ("type", '"tool_result"'),
            ("tool_use_id", '"toolu_1"'),
            ("content", style.array(style.object(("type", '"text"'), ("text", said)), '{"type":"odd","x":1E2}')),
        ),
        "image": (("type", '"image"'), ("source", '{"type": "base64","media_type":"image/png","data":"aGk="}')),
        "unknown": (("type", '"hologram"'), ("depth", "1.50")),
    }[kind]
    text = style.object(*inner, *extras).encode()
    return Piece(text, text)


@st.composite
def _user(draw: st.DrawFn, style: Style) -> Message:
    if draw(st.booleans()):
        text = style.object(("role", '"user"'), ("content", draw(words))).encode()
        return Message("user", Piece(text, text))
    first = style.object(("type", '"text"'), ("text", draw(words))).encode()
    return Message("user", _with_blocks(draw, style, "user", [Piece(first, first), *draw(st.lists(_heard(style)))]))


@st.composite
def _assistant(draw: st.DrawFn, style: Style, number: int) -> Message:
    blocks: list[Piece] = []
    generated: list[Answer] = []
    for place in range(draw(st.integers(1, 3))):
        call_id = f"toolu_{number}9f8e7d6c5b4a3928{place}"
        kind = draw(st.sampled_from(("text", "thinking", "call", "call rewritten", "call remembered")))
        if kind in ("text", "thinking"):
            more = (("signature", '"s\\u0041"'),) if kind == "thinking" else ()
            text = style.object(("type", f'"{kind}"'), (kind, draw(words)), *more)
            blocks.append(Piece(text.encode(), text.encode()))
            continue
        extras = draw(_extras)
        arguments = ['{"timeout": 5000,"command":"ls"}', '{"command":  "cd / && ls", "timeout":5000.0}']

        def call(text: str, call_id: str = call_id, extras: tuple[tuple[str, str], ...] = extras) -> bytes:
            return style.object(
                ("type", '"tool_use"'), ("id", f'"{call_id}"'), ("input", text), ("name", '"Bash"'), *extras
            ).encode()

        back = arguments[kind == "call remembered"]
        if kind != "call":
            generated.append(Answer(calls=(Call(call_id, call_id, "Bash", arguments[1]),)))
        blocks.append(Piece(call(back), call(arguments[1] if kind == "call rewritten" else back)))
    return Message("assistant", _with_blocks(draw, style, "assistant", blocks), tuple(generated))


def _system(style: Style) -> st.SearchStrategy[Message]:
    text = style.object(("role", '"system"'), ("content", f'"{COUNTDOWN}"'))
    return st.just(Message("system", Piece(text.encode(), None)))


def _with_blocks(draw: st.DrawFn, style: Style, role: str, blocks: list[Piece]) -> Piece:
    rest: list[tuple[str, str]] = [("role", f'"{role}"'), *draw(_extras)]
    at = draw(st.integers(0, len(rest)))

    def whole(content: str) -> bytes:
        return style.object(*rest[:at], ("content", content), *rest[at:]).encode()

    before = whole(style.array(*[block.before.decode() for block in blocks]))
    if not any(block.changed for block in blocks):
        return Piece(before, before)
    kept = [block.after.decode() for block in blocks if block.after is not None]
    return Piece(before, whole("[" + ",".join(kept) + "]"))


@st.composite
def _head(draw: st.DrawFn, style: Style) -> Piece | None:
    kind = draw(st.sampled_from(("none", "string", "header", "line", "clean")))
    if kind == "none":
        return None
    if kind == "string":
        return Piece(json.dumps(f"{HEADER}\nBe brief é.").encode(), '"Be brief é."'.encode())

    def block(text: str) -> str:
        return style.object(("cache_control", "null"), ("type", '"text"'), ("text", text))

    first = {
        "header": block(f'"{HEADER}"'),
        "line": block(f'"\\n{HEADER} \\r\\nStay \\u0041."'),
        "clean": block('"A."'),
    }
    rest = block(f'"Be brief.\\n{HEADER}"')
    before = style.array(first[kind], rest).encode()
    after = {"header": f"[{rest}]", "line": "[" + block('"Stay A."') + "," + rest + "]", "clean": before.decode()}
    return Piece(before, after[kind].encode())


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A conversation of any style in which VOL001, VOL002 and HIS003 have something to do, or nothing has."""
    style = draw(styles)
    messages: list[Message] = []
    for number in range(draw(st.integers(1, 4))):
        messages += [draw(_assistant(style, number))] if number else []
        heard = draw(st.lists(st.one_of(_user(style), _system(style)), max_size=2))
        messages += [draw(_user(style)), *heard] if not number or draw(st.booleans()) else [draw(_system(style))]
    system = draw(_head(style))
    tools = '[ {"input_schema":{"type" : "object"}, "name":"A"} ]'
    members = (("model", '"m"'), ("temperature", "1.0e0"), ("novel", '{"x" : [1.0,-0]}'), ("tools", tools))
    rows: list[tuple[str, str, str]] = [(name, value, value) for name, value in members]
    if system is not None and system.after is not None:
        rows.append(("system", system.before.decode(), system.after.decode()))
    rows = draw(st.permutations(rows))
    at = draw(st.integers(0, len(rows)))
    space = draw(st.sampled_from(("", " ", "\r\n ")))

    def front(side: int) -> bytes:
        told = [f'"{row[0]}"{style.colon}{row[side]}{style.comma}' for row in rows[:at]]
        return (space + "{" + "".join(told) + f'"messages"{style.colon}[{space}').encode()

    def back(side: int) -> bytes:
        told = [f'{style.comma}"{row[0]}"{style.colon}{row[side]}' for row in rows[at:]]
        return (space + "]" + "".join(told) + "}" + space).encode()

    return Conversation(front(1), front(2), back(1), back(2), style.comma.encode(), tuple(messages))
