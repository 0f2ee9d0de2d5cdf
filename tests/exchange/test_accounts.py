"""Every change is listed: the edits turn the words of the received body into those of the sent one, and back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepwarm.core.prompt import Edit, EditNote
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.session.journal import Journal
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.simulation import Simulation
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialects

SAID: Final = ("VOL001-each", "VOL002-moving", "VOL003-clock", "VOL004-git", "ROL001-inline", "HIS001-moved")
"""Causes in what the client says."""
STILL: Final = ("VOL001-each", "VOL003-clock", "VOL004-git", "ROL001-inline")
"""Those of them that say in an old turn what they said when it was new."""
ECHOED: Final = ("HIS002-dropped", "HIS003-rewritten", "HIS004-reordered", "HIS006-spaces", "HIS006-empty")
"""Causes in how it says again what was generated."""
TOLD: Final = "told in the newest turn"
AS_READ: Final = "as the model has read it"


def words(text: str) -> Counter[str]:
    """The words of a text, each as often as it is said."""
    return Counter(re.findall(r"\w+", text))


def said(body: dict[str, Any]) -> Counter[str]:
    """All that a body lets the model read."""
    total: Counter[str] = Counter()
    for text in _texts([body.get("system", ""), body.get("tools", []), body["messages"]]):
        total += words(text)
    return total


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        for name in ("text", "content", "thinking", "description"):
            yield from _texts(value.get(name, ""))
        for name in ("input", "input_schema"):
            yield json.dumps(value[name], ensure_ascii=False) if name in value else ""
    else:
        yield value if isinstance(value, str) else ""


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Edit]]:
    """listen() gives the edits that have been noted since, texts and all."""
    heard: list[Edit] = []
    note = RuleBook.note

    def noted(book: RuleBook, edit: Edit) -> EditNote:
        heard.append(edit)
        return note(book, edit)

    monkeypatch.setattr(RuleBook, "note", noted)

    def since() -> list[Edit]:
        found = heard[:]
        heard.clear()
        return found

    return since


def balance(edits: Iterable[Edit]) -> tuple[Counter[str], Counter[str]]:
    """(words taken out, words put in)."""
    out: Counter[str] = Counter()
    into: Counter[str] = Counter()
    for edit in edits:
        out += words(edit.before)
        into += words(edit.after)
    return out, into


def bodies(play: Simulation) -> tuple[Counter[str], Counter[str]]:
    """What the latest request said as it was received, and as it was sent."""
    life = play.lives[-1]
    return said(json.loads(life.story.call.body)), said(json.loads(play.server.exchanges[-1].body))


def keeper() -> Keeper:
    """Towards a server of the client's protocol, where all that no rule edits goes as it came."""
    return Keeper("anthropic", dialects(Traits("anthropic")), rule_book(), Journal(), Manner())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(SAID), min_size=1), st.integers(1, 1000))
def test_the_edits_turn_what_was_received_into_what_was_sent_and_back(
    listen: Callable[[], list[Edit]], injections: set[str], seed: int
) -> None:
    play = Simulation(Scenario(tuple(sorted(injections)), seed), Setting())
    for ask in play.client.plan.asks:
        play.keeper = keeper()
        listen()
        play.send(ask)
        (received, sent), (out, into) = bodies(play), balance(listen())
        assert received + into == sent + out


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from([*STILL, *ECHOED]), min_size=1), st.integers(1, 1000))
def test_so_do_they_over_a_whole_conversation(
    listen: Callable[[], list[Edit]], injections: set[str], seed: int
) -> None:
    """What was changed in a turn when it was new counts as long as it stands; of the head, what is changed now."""
    play = Simulation(Scenario(tuple(sorted(injections)), seed), Setting())
    play.keeper = keeper()
    listen()
    turns: list[Edit] = []
    head: list[Edit] = []
    for ask in play.client.plan.asks:
        play.send(ask)
        stable = play.lives[-1].story.stable
        assert stable is not None
        if any(note.note == AS_READ for note in stable.notes):
            return
        edits = listen()
        turns += [edit for edit in edits if edit.path.startswith("/messages") or edit.note == TOLD]
        others = [edit for edit in edits if not edit.path.startswith("/messages") and edit.note != TOLD]
        lifted = [edit for edit in others if edit.code == "VOL001"]
        head = [edit for edit in others if edit.code != "VOL001"] or head  # read anew only where it is another
        (received, sent), (out, into) = bodies(play), balance([*turns, *lifted, *head])
        assert received + into == sent + out
