"""Played scenarios that are made up, for tests of the judge: all is well with them until something is changed."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Record, Verdict
from keepwarm.testing.scenarios.played import Played, Setting, Step
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.view import Result, Text
from tests.testing.test_accounts import exchange

HIT = Verdict("hit", "nobody", "counted")
RECORD = Record(
    id="1",
    at=0.0,
    front="anthropic",
    client="",
    session="",
    agent="",
    kind="main",
    lineage="",
    parent="",
    turn=1,
    upstream="llamacpp",
    model="m",
    stream=True,
    status=200,
    ending="done",
    verdict=HIT,
)


def played(name: str, *, mends: bool = True, hears: bool = True) -> Played:
    """A scenario in which every cause is listed or named as it should be; `hears` False leaves that out."""
    scenario = Scenario(tuple(name.split("+")))
    steps: list[Step] = []
    client = Client(scenario)
    for request in client.requests():
        held = 1000 * request.number
        causes = request.truth.causes
        cached = held if mends or not causes else 10
        server = exchange("a", held + 500, cached, 1000 * (request.number + 1))
        parts = client.plan.asks[request.number].said[0].parts
        server = replace(server, prompt="\n".join(part.text for part in parts if isinstance(part, Text | Result)))
        usage = Usage(prompt_tokens=server.prompt_tokens, cached_tokens=server.cached_tokens)
        record = replace(RECORD, usage=usage)
        if hears and mends:
            notes = tuple(EditNote(cause.code, cause.path, "exact", 1, 0) for cause in causes if cause.fixable)
            record = replace(record, edits=notes)
        lasting = [cause for cause in causes if not (mends and cause.fixable)]
        if hears and lasting:
            place = Place(lasting[0].path, 0, "there") if lasting[0].path else None
            codes = tuple(cause.code for cause in lasting)
            record = replace(record, verdict=Verdict("miss", "client", "counted", causes=codes, place=place))
        steps.append(Step(request, record, server, 500))
    return Played(scenario, Setting(mends=mends), tuple(steps), (), 500 * len(steps))


def with_record(whole: Played, number: int, **fields: object) -> Played:
    """The same with another record of one request."""
    steps = list(whole.steps)
    steps[number] = replace(steps[number], record=replace(steps[number].record, **fields))
    return replace(whole, steps=tuple(steps))
