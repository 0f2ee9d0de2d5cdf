"""Turns, tools and memories for property tests of rules: small alphabets, so that the interesting cases meet."""

from __future__ import annotations

from hypothesis import strategies as st

from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
    Turn,
)

HEADER = "x-anthropic-billing-header: cc_version=2.1.114.c39; cch=0a1b2;"
COUNTDOWN = "<total_tokens>812345 tokens left</total_tokens>"
REMINDER = "<system-reminder>\nbe brief\n</system-reminder>"
CALL_IDS = ("toolu_1", "toolu_2", "toolu_3")
ARGUMENTS = ("{}", '{"command":"ls"}', '{"command": "cd / && ls"}', '{"comm')
_WORDS = ("", " ", "go on", "\nDone.\n", "Done.", HEADER, COUNTDOWN, f"{HEADER}\nand more", REMINDER)

words = st.lists(st.sampled_from((*_WORDS, "\n", "\r\n")), max_size=4).map("".join)
"""Texts in which header and countdown stand alone, in lines and among other words."""
calls = st.builds(ToolUse, st.sampled_from(CALL_IDS), st.just("Bash"), st.sampled_from(ARGUMENTS[:3]))
_others: st.SearchStrategy[Block] = st.sampled_from(
    (Media("image", "image/png", "aGk="), ToolReference("Search"), Opaque("hologram", b'{"type":"hologram"}'))
)
results = st.builds(
    ToolResult, st.sampled_from(CALL_IDS), st.lists(words.map(Text), max_size=2).map(tuple), st.booleans()
)
_thinking = st.builds(Thinking, words, st.just("s"), st.booleans())
_said: st.SearchStrategy[Block] = st.one_of(words.map(Text), calls, _thinking, _others)
_heard: st.SearchStrategy[Block] = st.one_of(words.map(Text), results, _others)


def messages(role: str) -> st.SearchStrategy[Message]:
    """A message of a role, with the blocks that it may hold."""
    blocks = {"assistant": _said, "user": _heard}.get(role, st.one_of(words.map(Text), _others))
    return st.builds(Message, st.just(role), st.lists(blocks, max_size=4).map(tuple), st.integers(0, 9))


any_message = st.sampled_from(("user", "assistant", "system")).flatmap(messages)
answered_turns = messages("assistant").map(lambda message: Turn((message,)))
asked_turns = st.lists(st.sampled_from(("user", "system")).flatmap(messages), min_size=1, max_size=4).map(
    lambda row: Turn(tuple(row))
)
turns = st.one_of(answered_turns, asked_turns)
system_blocks = st.builds(SystemBlock, words, st.integers(-1, 3))
tools = st.lists(
    st.builds(
        Tool,
        st.sampled_from("ABCDE"),
        st.sampled_from(("", "does")),
        st.sampled_from((b"{}", b'{"a":1,"b":2}', b'{"b":2,"a":1}')),
        st.integers(0, 5),
    ),
    max_size=5,
    unique_by=lambda tool: tool.name,
).map(tuple)
answers = st.builds(
    Answer,
    st.sampled_from(("", "Done.", "\n\nDone.", " ")),
    st.sampled_from(("", "I see.")),
    st.just("s"),
    st.lists(
        st.builds(
            Call, st.sampled_from(CALL_IDS), st.sampled_from(("", "u1")), st.just("Bash"), st.sampled_from(ARGUMENTS)
        ),
        max_size=2,
        unique_by=lambda call: call.id,
    ).map(tuple),
)


class Recalled:
    """A memory that holds one answer."""

    def __init__(self, answer: Answer, cut: Answer | None = None) -> None:
        self._answer = answer
        self._cut = cut
        self.calls = tuple(call.id for call in answer.calls)

    def by_call(self, call_id: str) -> Answer | None:
        """The answer when it holds this call."""
        return self._answer if any(call.id == call_id for call in self._answer.calls) else None

    def by_text(self, text: str) -> Answer | None:
        """The answer when these are its words."""
        return self._answer if not self._answer.calls and self._answer.text.strip() == text.strip() != "" else None

    def cut(self) -> Answer | None:
        """The answer that broke off."""
        return self._cut


memories = answers.map(Recalled)
NOTHING = Recalled(Answer())


def said(turn: Turn) -> str:
    """All words of a turn in a row, those inside tool results included."""
    found: list[str] = []
    for block in turn.blocks():
        if isinstance(block, Text):
            found.append(block.text)
        elif isinstance(block, ToolResult):
            found += [part.text for part in block.content if isinstance(part, Text)]
    return "\n".join(found)
