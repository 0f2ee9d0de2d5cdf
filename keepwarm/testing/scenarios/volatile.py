"""Injections of text that changes by itself: headers, countdowns, dates, the state of the project."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.testing.scenarios.injection import Moment
from keepwarm.testing.scenarios.plan import Planner
from keepwarm.testing.scenarios.truth import Place
from keepwarm.testing.scenarios.view import Message, Text, View, newest, with_parts

_FROM = 99_000
"""Tokens left at the beginning of a countdown."""


def billing_each(view: View, moment: Moment) -> View:
    """A billing line with a new value in each request."""
    suffix, cch = moment.dice("suffix").getrandbits(12), moment.dice().getrandbits(20)
    return _billed(view, f"cc_version=2.1.114.{suffix:03x}; cc_entrypoint=cli; cch={cch:05x};")


def billing_session(view: View, moment: Moment) -> View:
    """A billing line that is the session's own."""
    suffix = moment.dice(moment.ask.session).getrandbits(12)
    return _billed(view, f"cc_version=2.1.328.{suffix:03x}; cc_entrypoint=sdk-cli;")


def _billed(view: View, fields: str) -> View:
    return replace(view, system=(Text(f"x-anthropic-billing-header: {fields}", "billing"), *view.system))


def two_sessions(planner: Planner, turns: int) -> None:
    """One session after the other, with the same head."""
    planner.go_on("main", None, turns)
    planner.go_on("second", None, max(2, turns // 2), session="two")


def date(view: View, moment: Moment) -> View:
    """Today's date at the end of the system prompt; midnight comes in the middle."""
    return _placed(view, f"Today's date: 2026-11-{24 if moment.changed else 23}.")


def clock(view: View, moment: Moment) -> View:
    """The time of each request at the end of the system prompt."""
    seconds = 31 + 47 * moment.ask.number
    return _placed(view, f"It is {6 + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} AM.")


def git_status(view: View, moment: Moment) -> View:
    """The state of the project at the end of the system prompt, read anew by each process of the client."""
    status = " M reader.py\n?? notes.txt" if moment.changed else "(clean)"
    head = "5f1c9d0 read the units once" if moment.changed else "77ab2e4 sort the layers"
    return _placed(view, f"gitStatus: as of the start of the conversation.\nCurrent branch: main\n{status}\n{head}")


def _placed(view: View, words: str) -> View:
    """The words behind the last system block's."""
    *rest, last = view.system
    return replace(view, system=(*rest, replace(last, text=f"{last.text}\n{words}")))


def dated_tool(view: View, moment: Moment) -> View:
    """The date in what a tool says of itself."""
    if not view.tools:
        return view
    first, *rest = view.tools
    words = f"{first.description} Today is 2026-11-{24 if moment.changed else 23}."
    return replace(view, tools=(replace(first, description=words), *rest))


def countdown_moving(view: View, moment: Moment) -> View:
    """How many tokens are left, behind the newest turn and nowhere else."""
    at = newest(view)
    note = Text(_countdown(moment), f"{view.messages[at].tag}.countdown")
    message = with_parts(view.messages[at], (*view.messages[at].parts, note))
    return replace(view, messages=(*view.messages[:at], message, *view.messages[at + 1 :]))


def countdown_inline(view: View, moment: Moment) -> View:
    """The same as a system message of its own, which moves along."""
    note = Message("system", (Text(_countdown(moment), "countdown.0"),), "countdown", listed=False)
    return replace(view, messages=(*view.messages, note))


def _countdown(moment: Moment) -> str:
    left = _FROM - 1_731 * moment.ask.number
    return f"<total_tokens>{left} tokens left</total_tokens>"


def inline_system(view: View, moment: Moment) -> View:
    """A system message behind each turn of the user's, the first one long."""
    messages: list[Message] = []
    for message in view.messages:
        messages.append(message)
        if message.role == "user":
            dice = moment.dice(message.tag)
            facts = "# Surroundings\nShell: bash\n" if message.tag == "u0" else ""
            words = f"{facts}The task list has {dice.randrange(90)} entries, {dice.randrange(9)} of them open."
            tag = f"s{message.tag}"
            messages.append(Message("system", (Text(words, f"{tag}.0"),), tag, listed=False))
    return replace(view, messages=tuple(messages))


def newest_system_message(before: View, after: View) -> Place | None:
    """The first system message that `before` does not have: a server that hoists it changes the head there."""
    known = {message.tag for message in before.messages}
    new = (message for message in after.messages if message.role == "system" and message.tag not in known)
    return next((Place("message", message.tag) for message in new), None)
