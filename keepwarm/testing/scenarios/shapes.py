"""Injections into how a message is written down: marks, strings and lists, empty texts. Most of them change nothing."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.testing.scenarios.injection import Moment
from keepwarm.testing.scenarios.view import Message, Text, View, newest, with_parts


def mark_moving(view: View, moment: Moment) -> View:
    """One mark on the last message; the message that loses it turns from a list into a string."""
    *rest, last = view.messages
    plain = (replace(message, listed=message.role == "assistant", marked=False) for message in rest)
    return replace(view, messages=(*plain, replace(last, listed=True, marked=True)))


def shape_flipping(view: View, moment: Moment) -> View:
    """Each message of words alone is a string or a list by chance, anew with each request."""
    return replace(
        view,
        messages=tuple(replace(message, listed=moment.dice(_own(moment, message)).random() < 0.5)
                       for message in view.messages),
    )  # fmt: skip


def empty_texts(view: View, moment: Moment) -> View:
    """Some messages of the user's get a text block with nothing in it when they are no longer the newest."""
    edge = newest(view)

    def fill(message: Message) -> Message:
        if message.role != "user" or moment.dice(message.tag).random() < 0.5:
            return message
        return with_parts(message, (*message.parts, Text("", f"{message.tag}.empty")))

    messages = tuple(fill(message) if at < edge else message for at, message in enumerate(view.messages))
    return replace(view, messages=messages)


def _own(moment: Moment, message: Message) -> str:
    return f"{moment.ask.number} {message.tag}"
