"""Injections into what was said before: reminders, reasoning, tool calls, results, edits."""

from __future__ import annotations

import json
from collections.abc import Callable

from msgspec.structs import replace

from keepwarm.testing.agent_session import as_returned
from keepwarm.testing.scenarios.injection import Moment
from keepwarm.testing.scenarios.view import Call, Message, Part, Result, Text, Thinking, View, newest, with_parts

PLACEHOLDER = "[the output was taken out to save room]"


# Reminders


def reminder_moved(view: View, moment: Moment) -> View:
    """A reminder that always stands in the newest turn: it vanishes from the turn before."""
    words = "Notes of the project: the night report is read by two people before seven."
    return _reminded(view, view.messages[newest(view)].tag, words)


def reminder_gone(view: View, moment: Moment) -> View:
    """A reminder of one turn, of which nothing is left on the next request."""
    at = newest(view)
    if moment.step != moment.middle - 1:
        return view
    return _reminded(view, view.messages[at].tag, "The file reader.py was changed by somebody else.")


def _reminded(view: View, tag: str, words: str) -> View:
    """A reminder in the message with this tag: before what the user types, behind what the tools gave back."""
    note = Text(f"<system-reminder>\n{words}\n</system-reminder>", f"{tag}.reminder")

    def add(message: Message) -> Message:
        answers = any(isinstance(part, Result) for part in message.parts)
        return with_parts(message, (*message.parts, note) if answers else (note, *message.parts))

    return _each(view, lambda message: add(message) if message.tag == tag else message)


# What the model said


def thinking_dropped(view: View, moment: Moment) -> View:
    """Reasoning is never sent back."""
    return _each_part(view, lambda part: None if isinstance(part, Thinking) else part)


def thinking_late(view: View, moment: Moment) -> View:
    """Reasoning is sent back once, and dropped from all answers but the last."""
    last = newest(view) - 1
    kept = view.messages[last].tag if last >= 0 else ""
    return _each_part(
        view, lambda part: None if isinstance(part, Thinking) and part.tag != f"{kept}.thinking" else part
    )


def thinking_emptied(view: View, moment: Moment) -> View:
    """The block of the reasoning comes back with no words in it."""
    return _each_part(view, lambda part: replace(part, text="") if isinstance(part, Thinking) else part)


def arguments_each(view: View, moment: Moment) -> View:
    """The arguments of every call are printed anew with each request, in another key order."""
    return _each_part(view, lambda part: _shuffled(part, moment, None))


def arguments_once(view: View, moment: Moment) -> View:
    """The arguments of every call so far get another key order once, which stays."""
    old = {f"a{number}" for number in range(moment.ask.number)} if moment.changed else set()
    return _each_part(view, lambda part: _shuffled(part, moment, "once") if part.tag.split(".")[0] in old else part)


def arguments_rewritten(view: View, moment: Moment) -> View:
    """Arguments come back the way Claude Code writes them: keys ordered, defaults added, blanks and `cd` taken off."""

    def rewrite(part: Part) -> Part:
        if not isinstance(part, Call):
            return part
        given = as_returned(part.name, json.loads(part.arguments))
        return replace(part, arguments=json.dumps(given, ensure_ascii=False))

    return _each_part(view, rewrite)


def _shuffled(part: Part, moment: Moment, salt: str | None) -> Part:
    """A call with its keys in an order of the request's own (or of `salt`'s), and never in the generated one."""
    if not isinstance(part, Call):
        return part
    given = list(json.loads(part.arguments).items())
    dice = moment.dice(f"{moment.ask.number if salt is None else salt} {part.tag}")
    turns = dice.randrange(1, len(given))
    row = given[turns:] + given[:turns]
    return replace(part, arguments=json.dumps(dict(row), ensure_ascii=False))


def answers_respaced(view: View, moment: Moment) -> View:
    """The words of old answers come back with other white space at their ends."""
    if not moment.changed:
        return view

    def respace(part: Part) -> Part:
        return replace(part, text=f" {part.text}\n") if isinstance(part, Text) and part.tag.startswith("a") else part

    return _each_part(view, respace)


def partial_shortened(view: View, moment: Moment) -> View:
    """Of an answer that was cut the client sends back what it had shown by then: some characters less."""

    def shorten(part: Part) -> Part:
        if isinstance(part, Text) and part.tag.endswith(".cut"):
            return replace(part, text=part.text[:-9].rstrip())
        return part

    return _each_part(view, shorten)


# What the user and the tools said


def results_reordered(view: View, moment: Moment) -> View:
    """Parallel results come back in another order as soon as they are no longer the newest."""
    edge = newest(view)

    def turn(message: Message) -> Message:
        results = [part for part in message.parts if isinstance(part, Result)]
        rest = [part for part in message.parts if not isinstance(part, Result)]
        return with_parts(message, (*reversed(results), *rest))

    messages = [turn(message) if at < edge - 1 else message for at, message in enumerate(view.messages)]
    return replace(view, messages=tuple(messages))


def opening_edited(view: View, moment: Moment) -> View:
    """The very first words of the user are others from the middle on."""
    return _edited(view, moment, "u0")


def request_edited(view: View, moment: Moment) -> View:
    """What a tool had given back first is another text from the middle on."""
    return _edited(view, moment, view.messages[2].tag) if len(view.messages) > 2 else view


def _edited(view: View, moment: Moment, tag: str) -> View:
    if not moment.changed:
        return view

    def edit(part: Part) -> Part:
        # Behind the first words, and before the mark that tells which request it is.
        return replace(part, text=part.text.replace(" ", " rather ", 1)) if isinstance(part, Text | Result) else part

    return _each(view, lambda message: with_parts(message, map(edit, message.parts)) if message.tag == tag else message)


def spaces_edited(view: View, moment: Moment) -> View:
    """The first words of the user come back with other white space between them."""
    if not moment.changed:
        return view

    def respace(part: Part) -> Part:
        if isinstance(part, Text) and part.tag == "u0.0":
            return replace(part, text=part.text.replace(". ", ".  ", 1))
        return part

    return _each_part(view, respace)


def middle_trimmed(view: View, moment: Moment) -> View:
    """Old tool results are replaced by a placeholder once, in the middle of the conversation."""
    return _trimmed(view, moment.middle - 1) if moment.changed else view


def trimmed_each(view: View, moment: Moment) -> View:
    """All tool results but the two newest turns' are replaced by a placeholder, so one more with each request."""
    return _trimmed(view, moment.step - 1)


def _trimmed(view: View, turns: int) -> View:
    """The results of the first so many turns of the user's, taken out."""
    asked = [message.tag for message in view.messages if message.role == "user"][: max(0, turns)]

    def trim(part: Part) -> Part:
        if isinstance(part, Result) and part.tag.split(".")[0] in asked:
            return replace(part, text=PLACEHOLDER)
        return part

    return _each_part(view, trim)


def _each(view: View, change: Callable[[Message], Message]) -> View:
    return replace(view, messages=tuple(map(change, view.messages)))


def _each_part(view: View, change: Callable[[Part], Part | None]) -> View:
    def changed(message: Message) -> Message:
        return with_parts(message, (now for part in message.parts if (now := change(part)) is not None))

    return _each(view, changed)
