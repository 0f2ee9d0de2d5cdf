"""Conversations of a chat completions client, written in any style, with what must leave for each.

As in `byte_path`, each piece is made twice, so that a test compares whole bodies byte for byte.
"""

from __future__ import annotations

import json

from hypothesis import strategies as st

from keepwarm.core.answer import Answer, Call
from tests.upstream.byte_path import COUNTDOWN, HEADER, Conversation, Message, Piece, Style, styles, words

GENERATED = '{"command":  "cd / && ls", "timeout":5000.0}'
RETURNED = '{"timeout": 5000,"command":"ls"}'
_extras = st.sampled_from(((), (("name", '"ada"'),), (("novel", '{"a":[1,2.50,"\\u0041"],"b" : null}'),)))


def _same(text: str) -> Piece:
    return Piece(text.encode(), text.encode())


def _part(style: Style, said: str, *more: tuple[str, str]) -> str:
    return style.object(("type", '"text"'), ("text", said), *more)


@st.composite
def _content(draw: st.DrawFn, style: Style) -> tuple[str, str]:
    """(as it is written, as it goes on)."""
    kind = draw(st.sampled_from(("string", "parts", "countdown", "empty part")))
    if kind == "string":
        said = draw(words)
        return said, said
    rows = [_part(style, draw(words)), '{"type": "image_url","image_url":{"url":"data:image/png;base64,aGk="}}']
    rows += draw(st.sampled_from(([], ['{"type":"hologram","depth":1.50}'], [_part(style, '"x"', ("odd", "1E2"))])))
    if kind == "parts":
        return style.array(*rows), style.array(*rows)
    gone = _part(style, f'"{COUNTDOWN}"' if kind == "countdown" else '""')
    at = draw(st.integers(0, len(rows)))
    return style.array(*rows[:at], gone, *rows[at:]), "[" + ",".join(rows) + "]"


@st.composite
def _user(draw: st.DrawFn, style: Style) -> Message:
    before, after = draw(_content(style))
    extras = draw(_extras)
    one, other = (style.object(("role", '"user"'), ("content", content), *extras) for content in (before, after))
    return Message("user", Piece(one.encode(), other.encode()))


def _results(draw: st.DrawFn, style: Style, calls: list[str]) -> list[Message]:
    rows = []
    for call_id in calls:
        said = draw(words)
        content = said if draw(st.booleans()) else style.array(_part(style, said), _part(style, '"more"'))
        fields = [("content", content), ("role", '"tool"'), ("tool_call_id", f'"{call_id}"')]
        rows.append(Message("tool", _same(style.object(*draw(st.permutations(fields))))))
    return rows


@st.composite
def _assistant(draw: st.DrawFn, style: Style, number: int) -> tuple[Message, list[str]]:
    generated: list[Answer] = []
    texts: list[tuple[str, str]] = []
    ids = [f"call_{number}9f8e7d6c5b4a3928{place}" for place in range(draw(st.integers(0, 2)))]
    for call_id in ids:
        kind = draw(st.sampled_from(("forgotten", "rewritten", "kept")))
        if kind != "forgotten":
            generated.append(Answer(calls=(Call(call_id, call_id, "Bash", GENERATED),)))
        extras = draw(_extras)

        def call(arguments: str, call_id: str = call_id, extras: tuple[tuple[str, str], ...] = extras) -> str:
            function = style.object(("name", '"Bash"'), ("arguments", json.dumps(arguments)))
            return style.object(("id", f'"{call_id}"'), ("function", function), ("type", '"function"'), *extras)

        said = GENERATED if kind == "kept" else RETURNED
        texts.append((call(said), call(GENERATED if kind == "rewritten" else said)))
    members = [("role", '"assistant"'), *draw(_extras)]
    members += [("content", draw(st.one_of(words, st.just("null"))) if ids else draw(words))]
    members += draw(st.sampled_from(([], [("reasoning_content", '"\\u0041"')], [("refusal", "null")])))
    members = draw(st.permutations(members))
    before, after = (
        style.object(*members, *([("tool_calls", style.array(*row))] if row else []))
        for row in ([one for one, _ in texts], [other for _, other in texts])
    )
    return Message("assistant", Piece(before.encode(), after.encode()), tuple(generated)), ids


def _leading(draw: st.DrawFn, style: Style) -> tuple[str, str]:
    """The leading messages as they are written and as they go on, comma behind them."""

    def message(role: str, content: str) -> str:
        return style.object(("role", f'"{role}"'), ("content", content), ("novel", "1.0"))

    said = message("system", draw(st.sampled_from((f'"see:\\n{HEADER}"', '"Be brief \\u0041."'))))
    kind = draw(st.sampled_from(("none", "clean", "line", "whole", "part")))
    if kind == "none":
        return "", ""
    before = {
        "clean": [said],
        "line": [message("developer", f'"{HEADER}\\nStay \\u0041."'), said],
        "whole": [message("system", f'"{HEADER}"'), said],
        "part": [said, message("system", style.array(_part(style, f'"{HEADER}"'), _part(style, '"b"', ("c", "0"))))],
    }[kind]
    after = {
        "clean": [said],
        "line": [message("developer", '"Stay A."'), said],
        "whole": [said],
        "part": [said, message("system", style.array(_part(style, '"b"', ("c", "0"))))],
    }[kind]
    return style.comma.join(before) + style.comma, ",".join(after) + style.comma


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """A conversation of any style in which VOL001, VOL002, HIS003 and HIS006 have something to do, or nothing has."""
    style = draw(styles)
    countdown = style.object(("role", '"system"'), ("content", f'"{COUNTDOWN}"')).encode()
    messages: list[Message] = [draw(_user(style))]
    for number in range(draw(st.integers(0, 3))):
        said, ids = draw(_assistant(style, number))
        heard = _results(draw, style, ids)
        if not heard or draw(st.booleans()):
            heard.append(draw(_user(style)))
        if draw(st.booleans()):
            heard.append(Message("system", Piece(countdown, None)))
        messages += [said, *heard]
    tools = '[ {"type":"function","function":{"parameters":{"type" : "object"}, "name":"A"}} ]'
    members = [("model", '"m"'), ("temperature", "1.0e0"), ("novel", '{"x" : [1.0,-0]}'), ("tools", tools)]
    rows = draw(st.permutations(members))
    at = draw(st.integers(0, len(rows)))
    space = draw(st.sampled_from(("", " ", "\r\n ")))
    told = [f'"{name}"{style.colon}{value}' for name, value in rows]
    lead, lead_after = _leading(draw, style)
    opening = space + "{" + "".join(row + style.comma for row in told[:at]) + f'"messages"{style.colon}[{space}'
    back = (space + "]" + "".join(style.comma + row for row in told[at:]) + "}" + space).encode()
    return Conversation(
        (opening + lead).encode(),
        (opening + lead_after).encode(),
        back,
        back,
        style.comma.encode(),
        tuple(messages),
    )
