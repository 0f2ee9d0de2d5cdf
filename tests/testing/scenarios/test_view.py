"""The values of a view."""

from __future__ import annotations

from keepwarm.testing.scenarios.view import Message, Text, View, newest, with_parts


def said(role: str, tag: str) -> Message:
    return Message(role, (Text(tag, f"{tag}.0"),), tag)  # type: ignore[arg-type]


def view(*roles: str) -> View:
    return View("m", (), (), tuple(said(role, str(at)) for at, role in enumerate(roles)))


def test_the_newest_turn_begins_behind_the_last_answer() -> None:
    assert newest(view("user", "assistant", "user", "system")) == 2
    assert newest(view("user", "system")) == 0


def test_other_parts_leave_the_rest_as_it_is() -> None:
    message = with_parts(said("user", "u1"), [Text("other", "u1.0")])
    assert (message.role, message.tag, message.parts) == ("user", "u1", (Text("other", "u1.0"),))
