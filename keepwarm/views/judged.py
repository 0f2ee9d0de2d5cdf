"""A verdict in plain words: the two comparisons, what was lost, whose fault it is, and each cause with its place."""

from __future__ import annotations

from keepwarm.ledger.records import Place, Record, Verdict
from keepwarm.rules.codes import CODES
from keepwarm.views import log, words
from keepwarm.views.sheet import Sheet

_GRADES = {
    "exact": "exact: by the server's own token ids, which were asked for after the answer",
    "counted": "counted: by the token counts that the server reports",
    "estimated": "estimated: from bytes, so tokens are about right and not exact",
    "unknown": "unknown: the server does not report enough to tell",
}
_FAULTS = {
    "client": "the client, which changed what it had sent before",
    "gateway": "keepwarm itself",
    "seat": "the seat: the server kept the conversation elsewhere, or gave its place to another",
    "server": "the server, which did not keep what it had processed",
    "provider": "the provider, whose cache did not hold it",
    "nobody": "nobody's",
}
_HIDDEN = "(letters and figures are hidden: `keepwarm serve --record` keeps the words)"


def say_verdict(sheet: Sheet, record: Record, previous: Record | None, recorded: bool) -> None:
    """All of it.

    previous  the request before it in its conversation, when there is one
    recorded  the texts are in the ledger, and excerpts show words
    """
    verdict = record.verdict
    if verdict is None:
        return
    before = (
        f"request {words.clean(previous.id)[: log.ID]}, turn {previous.turn}" if previous else "the request before it"
    )
    _say_comparisons(sheet, verdict, before)
    if verdict.lost:
        took = f" ({words.seconds(verdict.lost_ms)})" if verdict.lost_ms is not None else ""
        lost = words.times(verdict.lost, "token")
        sheet.say("Lost", f"{lost}{took} had been processed before and were processed again.")
    sheet.say("Verdict", f"{verdict.outcome} ({_GRADES[verdict.grade]}).")
    if verdict.outcome in ("partial", "miss") or verdict.blame != "nobody":
        sheet.say("Fault", f"{_FAULTS[verdict.blame]}.")
    _say_causes(sheet, verdict, recorded)
    if previous is not None and not verdict.place and verdict.blame in ("nobody", "seat", "server", "provider"):
        sheet.say("Differs", f"nowhere from {before}: it was only added to.")


def _say_comparisons(sheet: Sheet, verdict: Verdict, before: str) -> None:
    """With what stood after the request before, and with what the server made of it."""
    had, expected, actual = verdict.had, verdict.expected, verdict.actual
    if expected is None:
        sheet.say("Expected", "How much could have been reused is not known.")
        return
    if verdict.outcome == "first" and not expected:
        sheet.say("Expected", "Nothing: it is the first request of its conversation.")
        return
    about = "about " if verdict.grade == "estimated" else ""
    if had is not None and verdict.outcome != "first":
        sheet.say("Had", f"{words.times(had, 'token')} stood in the cache after {before}.")
    told = f"{about}{words.times(expected, 'token')} could have been reused"
    if had is not None and expected < had and verdict.causes:
        told += f": there the prompt parts from that of {before}" if verdict.places else ""
    if verdict.shared is not None:
        told += f"; by the server's ids both prompts begin with the same {words.times(verdict.shared, 'token')}"
    sheet.say("Expected", f"{told[:1].upper()}{told[1:]}.")
    sheet.say("Actual", _actual(expected, actual))


def _actual(expected: int, actual: int | None) -> str:
    if actual is None:
        return "What was reused, the server does not say."
    if actual >= expected:
        return f"{words.count(actual)} were reused: all that could be."
    return f"{words.count(actual)} were reused: {words.count(expected - actual)} fewer than could have been."


def _say_causes(sheet: Sheet, verdict: Verdict, recorded: bool) -> None:
    """Each cause, and where it is."""
    places = {place.code: place for place in reversed(verdict.places)}
    if not places and verdict.place is not None:  # as it was written until places were kept
        places = {verdict.causes[0] if verdict.causes else "": verdict.place}
    label, hidden = "Cause", False
    for code in (*verdict.causes, *([""] if "" in places else [])):
        place = places.get(code)
        name = f"{code} {CODES[code].name}" if code in CODES else words.clean(code) or "known to no rule"
        sheet.say(label, f"{name}, {_where(place)}" if place is not None else name)
        label = ""
        if place is None:
            continue
        if place.path:
            sheet.say("", f"at {words.clean(place.path)}", "dim")
        if place.before or place.after:
            sheet.say("  before", words.clean(place.before) or "(nothing)")
            sheet.say("  now", words.clean(place.after) or "(nothing)")
            hidden = not recorded
    if hidden:
        sheet.say("", _HIDDEN, "dim")


def _where(place: Place) -> str:
    after = f", after {words.times(place.offset, 'character')}" if place.offset else ""
    return f"in {words.clean(place.what)}{after}"
