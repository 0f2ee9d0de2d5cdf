"""Rows of events as servers send them, for the tests of what is made of them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from keepwarm.core.events import (
    Event,
    Failed,
    Finished,
    Progress,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)

LONG_ID: Final = "Zb8w2mB0QmB2xXq9J3kY7uP1nR5tV4cD"

ROWS: Final[dict[str, list[Event]]] = {
    "text": [
        Started("chatcmpl-1", "tiny"),
        TextDelta("Two lines,\n"),
        TextDelta('a "quote" and ä😀.'),
        Finished("end", usage=Usage(prompt_tokens=120, output_tokens=9)),
    ],
    "tools": [
        Progress(total=900, cached=640, processed=900, ms=31.5),
        Started("chatcmpl-2", "tiny"),
        ThinkingDelta("I list "),
        ThinkingDelta("the files."),
        TextDelta("Looking."),
        ToolStart(0, "call_0", "Bash"),
        ToolDelta(0, '{"command":"ls -la",'),
        ToolDelta(0, ' "timeout":5000.0}'),
        ToolStart(1, LONG_ID, "Read"),
        ToolDelta(1, '{"file_path":"/src/a"}'),
        Finished("tools", usage=Usage(prompt_tokens=900, cached_tokens=640, output_tokens=41, written_tokens=20)),
    ],
    "side_by_side": [
        Started("chatcmpl-3", "tiny"),
        ToolStart(0, "call_0", "Read"),
        ToolDelta(0, '{"file_path":'),
        ToolStart(1, "call_1", "Read"),
        ToolDelta(1, '{"file_path":"/b"'),
        ToolDelta(0, '"/a"}'),
        ToolDelta(1, "}"),
        Finished("end", usage=Usage(prompt_tokens=30, cached_tokens=0, output_tokens=12)),
    ],
    "cut_off": [
        Started("chatcmpl-4", "tiny"),
        ToolStart(0, LONG_ID, "Write"),
        ToolDelta(0, '{"content":"The first half of'),
        Finished("length", usage=Usage(prompt_tokens=50, output_tokens=8)),
    ],
    "broken": [
        Started("chatcmpl-5", "tiny"),
        TextDelta("Half of a"),
        Failed(0, "the model server closed the connection", "broken"),
    ],
    "stopped": [
        Started("chatcmpl-6", "tiny"),
        Finished("stop", stop_sequence="END"),
    ],
}

_WORDS: Final = st.text(min_size=1, max_size=8)
_COUNTS: Final = st.none() | st.integers(1, 1000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """What a server may report: its cached and written tokens are part of its prompt tokens."""
    cached, written = draw(_COUNTS), draw(_COUNTS)
    prompt = draw(_COUNTS if cached is written is None else st.integers(1, 1000))
    total = None if prompt is None else prompt + (cached or 0) + (written or 0)
    return Usage(total, cached, draw(st.integers(1, 1000)), written_tokens=written)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """A whole answer of any order, each call's arguments behind its start and the calls one after the other."""
    events: list[Event] = [Started("msg_1", "tiny")]
    calls = 0
    for kind in draw(st.lists(st.sampled_from(["text", "thinking", "call"]), max_size=6)):
        if kind == "call":
            events.append(ToolStart(calls, f"{LONG_ID}{calls}", draw(_WORDS)))
            text = '{"k":' + draw(st.sampled_from(['"v"', "5000.0", "[1,  2]"])) + "}"
            middle = draw(st.integers(1, len(text) - 1))
            events += [ToolDelta(calls, text[:middle]), ToolDelta(calls, text[middle:])]
            calls += 1
        else:
            make = TextDelta if kind == "text" else ThinkingDelta
            events += [make(words) for words in draw(st.lists(_WORDS, min_size=1, max_size=3))]
    ends = ["tools"] if calls else ["end"]
    reason = draw(st.sampled_from([*ends, "length", "stop", "refusal", "pause_turn"]))
    stop = draw(_WORDS) if reason == "stop" else None
    return [*events, Finished(reason, stop, draw(usages()))]
