"""A scenario, and the client that plays it: what it sends with each request, and what is true of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from keepwarm.testing.scenarios import branches, chat, messages
from keepwarm.testing.scenarios.injection import Injection, Moment, Shape
from keepwarm.testing.scenarios.plan import Ask, Plan, Planner, Size, reply
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.testing.scenarios.truth import Cause, Truth
from keepwarm.testing.scenarios.view import View
from keepwarm.testing.scenarios.written import Heard, Written

_SESSIONS = {"one": "1b0e7c52-5d0c-4b5e-9a53-7f3a2c1d0001", "two": "1b0e7c52-5d0c-4b5e-9a53-7f3a2c1d0002"}


class Scenario(msgspec.Struct, frozen=True):
    """One conversation, or several, with what is injected."""

    injections: tuple[str, ...] = ("clean",)
    """Names of `table.INJECTIONS`; at most one of them may have a course of its own."""
    seed: int = 1
    turns: int = 8
    """Requests of the main conversation, about."""
    shape: Shape = "messages"
    identity: bool = True
    """Whether the client says which session a request belongs to."""
    thinking: bool = True
    """Whether the model's answers have reasoning."""
    size: Size = Size()

    @property
    def name(self) -> str:
        """What is injected, in one word."""
        return "+".join(self.injections)


class Request(msgspec.Struct, frozen=True):
    """One request as the client sends it."""

    number: int
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truth: Truth


class Client:
    """The client of a scenario. It learns from the answers what only they tell: ids and signatures."""

    def __init__(self, scenario: Scenario) -> None:
        """Raises KeyError for an injection that is not in the table, ValueError for two that want a course each."""
        self.scenario = scenario
        self.injections = tuple(INJECTIONS[name] for name in scenario.injections)
        courses = [one.course for one in self.injections if one.course is not None]
        if len(courses) > 1:
            raise ValueError(f"{scenario.name}: only one of these can say how the conversation goes")
        thinking = scenario.thinking or any(one.thinking for one in self.injections)
        planner = Planner(scenario.seed, scenario.name, scenario.size, thinking=thinking)
        (courses[0] if courses else branches.straight)(planner, scenario.turns)
        self.plan: Plan = planner.plan()
        self._ids: dict[str, str] = {}
        self._signatures: dict[str, str] = {}

    @property
    def heard(self) -> Heard:
        """What the answers have told so far."""
        return Heard(self._ids, self._signatures)

    def hear(self, number: int, ids: Iterable[str], signature: str = "") -> None:
        """Take the answer to request `number`: the ids of its calls in order, the signature of its reasoning."""
        self._ids |= {f"a{number}.{at}": call for at, call in enumerate(ids)}
        if signature:
            self._signatures[f"a{number}.thinking"] = signature

    def request(self, number: int) -> Request:
        """Request `number`, from 0; all earlier answers that it goes on from must have been heard."""
        ask = self.plan.asks[number]
        written = self._written(self.view(number))
        path = messages.PATH if self.scenario.shape == "messages" else chat.PATH
        return Request(number, path, self._headers(ask), written.body, self._truth(ask, written))

    def requests(self) -> list[Request]:
        """All requests, with ids made up where none were heard."""
        return [self.request(ask.number) for ask in self.plan.asks]

    def view(self, number: int, injections: Iterable[Injection] | None = None) -> View:
        """What is shown with request `number`; `injections` in place of the scenario's own."""
        view = self.plan.view(number)
        for injection in self.injections if injections is None else injections:
            if injection.show is not None:
                view = injection.show(view, self._moment(number, injection))
        return view

    def unfixed(self, number: int) -> bytes:
        """A Messages body of request `number` with only those injections that no gateway can mend."""
        view = self.view(number, [one for one in self.injections if not one.fixable])
        return messages.write(view, self.heard).body

    def _written(self, view: View) -> Written:
        if self.scenario.shape == "chat":
            return chat.write(view, self.heard)
        return messages.write(view, self.heard)

    def _moment(self, number: int, injection: Injection) -> Moment:
        step, count = self.plan.place_in_talk(number)
        return Moment(self.plan.asks[number], step, count, f"{self.scenario.seed} {injection.name}")

    def _headers(self, ask: Ask) -> tuple[tuple[str, str], ...]:
        headers = {"content-type": "application/json", "user-agent": "scenario-client/1.0", "x-api-key": "dummy"}
        chats = self.scenario.shape == "chat"
        if not chats:
            headers["anthropic-version"] = "2023-06-01"
        if self.scenario.identity:
            name = "x-session-id" if chats else "x-claude-code-session-id"
            headers[name] = _SESSIONS[ask.session]
            if ask.agent:
                headers["x-claude-code-agent-id"] = ask.agent
        return tuple(headers.items())

    # The truth

    def _truth(self, ask: Ask, written: Written) -> Truth:
        causes = [cause for one in self.injections if one.code and (cause := self._cause(one, ask, written))]
        return Truth(tuple(causes), ask.before)

    def _cause(self, injection: Injection, ask: Ask, written: Written) -> Cause | None:
        """The cause of one injection in a request, as if it were the only one."""
        if ask.before is None:
            return self._across(injection, ask, written)
        if injection.code == "SEA001":
            taken = any(other.talk != ask.talk for other in self.plan.asks[ask.before + 1 : ask.number])
            return Cause(injection.code, "", injection.fixable) if taken else None
        if injection.server == "replicas":
            return Cause(injection.code, "", injection.fixable)
        if injection.code == "HIS008":
            pieces = self.plan.asks[ask.before].answer.in_pieces
            return Cause(injection.code, "", injection.fixable) if pieces else None
        if injection.parts and ask.before == ask.after:
            return None
        if injection.show is None and not injection.parts:
            return None
        place = injection.where(self._before(ask.before, injection), self.view(ask.number, [injection]))
        given_up = ask.before != ask.after and not injection.parts
        if place is None or (given_up and place.kind not in ("model", "system", "tool")):
            # Where a history was given up, only what stands before it is the same conversation's still.
            return None
        behind = written.things.get(("behind", place.tag), "") if place.kind == "end" else ""
        return Cause(injection.code, written.pointer(place), injection.fixable, behind)

    def _across(self, injection: Injection, ask: Ask, written: Written) -> Cause | None:
        """That of a first request, against the first one of the plan, which has the same head."""
        if not injection.across or not ask.number:
            return None
        place = injection.where(self.view(0, [injection]), self.view(ask.number, [injection]))
        if place is None:
            return None
        return Cause(injection.code, written.pointer(place), injection.fixable, across=True)

    def _before(self, number: int, injection: Injection) -> View:
        """What request `number` showed, with the answer to it as it was generated."""
        view = self.view(number, [injection])
        return replace(view, messages=(*view.messages, reply(self.plan.asks[number])))
