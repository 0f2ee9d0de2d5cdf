"""What stood in one process stands in the next: the same request goes upstream in the same bytes, and is told so."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.reminder import is_reminder
from keepwarm.exchange.commands import Close, Fetch, Finish, Open, Send, Start, Write
from keepwarm.exchange.keeper import Keeper
from keepwarm.exchange.stabilise import Stabiliser, Stable
from keepwarm.session import archive
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.wire.fronts import FRONTS
from tests.exchange.conversations import Talk, hear, some_answer
from tests.exchange.playbook import (
    Playbook,
    arrived,
    chat,
    ended,
    fetched,
    hung_up,
    keeper,
    opened,
    request,
    tick,
)
from tests.exchange.restarts import Shelf, begin, keeping, play

Json = dict[str, Any]
dice = st.randoms(use_true_random=False)
FRONT = FRONTS["anthropic"]


class Forgetful(Talk):
    """A client whose reminders come and go, whose system prompt has a date, and that writes calls in its own words."""

    def shown(self) -> bytes:
        """The next request."""
        body: Json = json.loads(self.request())
        dice, messages = self.dice, body["messages"]
        for message in messages[:-3]:
            if message["role"] == "user" and isinstance(message["content"], list):
                kept = [block for block in message["content"] if not self._forgets(block)]
                message["content"] = kept or message["content"]
        if dice.random() < 0.5 and isinstance(messages[0]["content"], list):
            reminder = f"<system-reminder>\nnote {dice.randint(1, 3)}\n</system-reminder>"
            messages[0]["content"].append({"type": "text", "text": reminder})
        date = f"Today's date: 2026-10-{dice.randint(1, 3):02d}"
        body["system"] = [{"type": "text", "text": f"You are an agent.\n\n{'Be brief. ' * 60}\n{date}"}]
        return json.dumps(body).encode()

    def edit(self) -> None:
        """The client changes its history, but not its beginning: by that its conversation is known."""
        beginning, self.messages = self.messages[:2], self.messages[2:]
        super().edit()
        self.messages = [*beginning, *self.messages]

    def _forgets(self, block: Json) -> bool:
        return is_reminder(str(block.get("text", ""))) and self.dice.random() < 0.5


def stable_of(body: bytes, on: Keeper, shelf: Shelf) -> Stable:
    """What a request would be, were it sent now; a journal that does not know its conversation asks `shelf`."""
    terms = on.terms(FRONT.name)
    stabiliser = Stabiliser(on.journal, terms.books.book(""), terms.dialect, FRONT)
    opening = stabiliser.begin(FRONT.parse(body), "s", "")
    fetch = opening.unknown()
    for conversation in shelf.fetch(fetch) if fetch is not None else ():
        archive.restore(on.journal, conversation)
    stable = stabiliser.go_on(opening)
    if fetch is not None:
        archive.claim(stable.lineage, fetch.address.secret)
    return stable


def seen(stable: Stable) -> Json:
    """All of it that does not come from another conversation."""
    row = {name: getattr(stable, name) for name in Stable.__struct_fields__}
    lineage = row.pop("lineage")
    row.pop("sibling")
    row["before"] = row["before"] if lineage.requests else None
    row["comparison"] = stable.differences if lineage.requests else ()
    return row | {"id": lineage.id, "count": lineage.count, "points": lineage.points}


@given(dice, st.integers(2, 7), st.sampled_from(["llamacpp", "chat", "anthropic"]))
def test_the_next_request_is_the_same_in_a_new_process(dice: Random, turns: int, kind: str) -> None:
    shelf, talk = Shelf(), Forgetful(dice)
    on = keeping(kind=kind)
    for number in range(turns):
        if dice.random() < 0.3:
            talk.edit()
        body = talk.shown()
        anew = keeping(Journal(), kind)
        assert seen(stable_of(body, anew, shelf)) == seen(stable_of(body, on, shelf))
        if dice.random() < 0.4:
            on = keeping(anew.journal, kind)
        answer = some_answer(dice, number)
        ids = [f"call{number:04d}{at:024d}x1y2" for at in range(len(answer.tool_calls))]
        book = play(body, on, shelf, answer, *ids, headers={"x-claude-code-session-id": "s"})
        talk.heard(hear(book))


# The life that asks


def test_a_conversation_that_is_not_in_memory_is_looked_for_once_and_a_known_one_is_not() -> None:
    on = keeping()
    book = Playbook(request(), on) << Fetch
    (book >> fetched()) << Open
    book.answer_with(chat(Answer("Yes.")))
    Playbook(request(), on) << Open


def test_who_waits_too_long_goes_on_without() -> None:
    book = Playbook(request(), keeping()) << Fetch
    book.waits(0.5) >> tick()
    book << Open
    (book >> fetched() >> opened(200) << Start >> arrived(chat(Answer("Yes.")))).skip(Send)
    assert (book >> ended()).skip(Send).skip(Finish).commands_seen().over().ending == "done"


def test_a_client_that_hangs_up_meanwhile_is_written() -> None:
    book = Playbook(request(), keeping()) << Fetch >> hung_up()
    assert (book << Close << Write).over().ending == "hung_up"


def test_where_nothing_is_kept_nobody_asks() -> None:
    book = play(request(), keeper(), Shelf(), Answer("Yes."))
    assert not any(isinstance(command, Fetch) for command in book.commands)
    (write,) = [command for command in book.commands if isinstance(command, Write)]
    assert write.parcel is None


def test_an_answer_that_was_cut_is_whole_again_after_a_restart() -> None:
    shelf, on = Shelf(), keeping()
    text = "I will look at the parser first. Then I will look at the printer."
    book = (begin(request(), on, shelf) >> opened(200)).skip(Start) >> arrived(chat(Answer(text))[:-400])
    (write,) = [one for one in (book.commands_seen() >> hung_up()).commands if isinstance(one, Write)]
    assert write.parcel is not None
    shelf.put(write.parcel)
    rows = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "I will look at the parser"}]
    sent = play(request(*rows, {"role": "user", "content": "go on"}), keeping(Journal()), shelf, Answer("x")).sent()
    assert sent["messages"][1]["content"].startswith("I will look at the parser first.")
