"""Rules as literate Markdown: what a spec page says, and playing it.

A page `specs/VOL001.md` has sections (`## title`), each a transcript in fenced blocks that is played from the top:

    settings           keepwarm.toml, for the requests behind it
    request            a whole request body, run through the stabiliser with this one rule in force
    request anthropic  the same towards one dialect (llamacpp, chat, anthropic); llamacpp where none is named; behind it
                       may stand the server's host name, and "session" with the session's name
    chat-request       the same from a client of chat completions, towards one dialect (chat where none is named)
    answer             what the server generated for the request before: {"text":, "thinking":, "calls": [...]}
    interrupted        what it had generated when the client hung up
    findings           the edits of the latest request, a line each: "CODE pointer: note"; empty for none
    metadata           what was lifted out of the prompt, a line each: "name=value"
    causes             the codes that explain where the latest request parts from the one before; empty for none
    headers            what goes upstream besides the client's headers, a line each: "name: value"
    sent               what goes upstream: of a translation the members named in it (as JSON values), where the client
                       and the server speak one protocol the whole body, byte for byte
    markers            the codes that say what is wrong with the latest request's cache markers; empty for none
    callers            what callers of models say and what goes upstream, JSON values by pointer, a line each:
                       "model {..} -> {..}", with "; changed /pointer .." behind it where something was
    replicas           what an answer's headers say of who answered, a line each: "name: value -> replica"
    seats N            conversations that come to a server with N slots, a line each:
                       "kind lineage session -> slot: reason", or "lineage leaves"
    verdicts           what a server reported, a line each: "had N, now N with N cached -> outcome blame CODES";
                       "had N+M" where an answer of M tokens stood behind the prompt
    server             what can be seen of a server that reused too little, a line each: "names -> CODE", the names
                       being members of server_side.Loss and Server ("cached" is `actual`), "name=value" or "name"

In every block «words ×N» stands for the words N times.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from keepwarm.config import Config
from keepwarm.core.answer import Answer, Call
from keepwarm.core.events import Usage
from keepwarm.core.prompt import Edit
from keepwarm.exchange.marking import faults, mark
from keepwarm.exchange.routing import Asker, find_way
from keepwarm.exchange.stabilise import Stabiliser, Stable
from keepwarm.ledger.server_side import Loss, Server, server_cause
from keepwarm.ledger.verdict import Predecessor, judge
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import RuleBook
from keepwarm.rules.key002 import Route
from keepwarm.rules.key003 import hold, settle
from keepwarm.rules.mrk003 import reads_marks
from keepwarm.rules.sea002 import replica_of
from keepwarm.session.affinity import choose
from keepwarm.session.journal import Journal
from keepwarm.session.lineage import Sent
from keepwarm.session.seat_table import Guest, leave, seats
from keepwarm.upstream.api import Dialect, Traits
from keepwarm.upstream.registry import dialect
from keepwarm.wire.fronts import FRONTS

SPECS = Path(__file__).parent / "specs"
_FENCE = re.compile(r"^```([\w-]+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMES = re.compile(r"«(.*?) ×(\d+)»", re.DOTALL)
_EXPECTING = (
    "findings",
    "metadata",
    "causes",
    "sent",
    "headers",
    "markers",
    "callers",
    "replicas",
    "seats",
    "verdicts",
    "server",
)
_GUEST = re.compile(r"(?P<kind>\w+) (?P<lineage>\w+) (?P<session>\w+) -> (?P<slot>\d+): (?P<reason>.+)")
_REPORT = re.compile(
    r"had (?P<had>\d+)(?:\+(?P<answer>\d+))?, now (?P<now>\d+) with (?P<cached>\d+) cached -> (?P<verdict>.+)"
)


class Step(msgspec.Struct, frozen=True):
    """One fenced block."""

    kind: str
    word: str
    """What stands behind the kind on its line."""
    text: str


class Section(msgspec.Struct, frozen=True):
    """One transcript."""

    code: str
    title: str
    steps: tuple[Step, ...]


def read_spec(code: str, page: str) -> list[Section]:
    """The sections of a page that hold a transcript. AssertionError for one that could not fail."""
    found = []
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        steps = tuple(Step(kind, word.strip(), _whole(text.strip("\n"))) for kind, word, text in _FENCE.findall(body))
        assert body.count("```") == 2 * len(steps), f"{code}: a fence in {title!r} that cannot be read"
        if steps:
            assert any(step.kind in _EXPECTING for step in steps), f"{code}: {title!r} expects nothing"
            found.append(Section(code, title, steps))
    return found


def _whole(text: str) -> str:
    """A block with all that is said several times."""
    return _TIMES.sub(lambda found: found[1] * int(found[2]), text)


class Player:
    """One section being played. AssertionError where the code does something else."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._rules = RuleBook((CODES[code],))
        self._journal = Journal()
        self._front = FRONTS["anthropic"]
        self._dialect: Dialect = dialect(Traits("llamacpp"))
        self._config = Config()
        self._stable: Stable | None = None
        self._route = Route()
        self._added: tuple[Edit, ...] = ()
        self._received = self._body = b""
        self._count = 0

    def play(self, section: Section) -> None:
        """Every step in order."""
        steps = {
            "settings": self._settings,
            "request": lambda step: self._request(step, "anthropic", "llamacpp"),
            "chat-request": lambda step: self._request(step, "chat", "chat"),
            "answer": self._answer,
            "interrupted": self._interrupted,
            "findings": self._findings,
            "metadata": self._metadata,
            "causes": self._causes,
            "sent": self._sent,
            "headers": self._headers,
            "markers": self._markers,
            "callers": _callers,
            "replicas": _replicas,
            "seats": _seats,
            "verdicts": _verdicts,
            "server": _server,
        }
        for step in section.steps:
            assert step.kind in steps, f"there is no step {step.kind!r}"
            steps[step.kind](step)

    @property
    def _latest(self) -> Stable:
        assert self._stable is not None, "no request yet"
        return self._stable

    def _settings(self, step: Step) -> None:
        self._config = msgspec.convert(tomllib.loads(step.text), Config)
        book = self._config.shelf().book("")
        self._rules = structs.replace(book, rules=(CODES[self._code],))

    def _request(self, step: Step, front: str, otherwise: str) -> None:
        word, _, session = step.word.partition(" session ")
        kind, _, host = word.partition(" ")
        self._front, self._dialect = FRONTS[front], dialect(Traits(kind or otherwise), front=front)
        parsed = self._front.parse(step.text.encode())
        stable = Stabiliser(self._journal, self._rules, self._dialect, self._front).run(
            parsed, session or "session", ""
        )
        group = self._journal.group(stable.group)
        head = self._journal.stand(group, stable.lineage, stable.standing, stable.head)
        self._count += 1
        self._journal.sent(
            stable.group,
            stable.lineage,
            Sent(str(self._count), stable.keys, head, stable.options, stable.size, trail=stable.trail),
        )
        asker = Asker(stable.options.model, session, "", stable.lineage.id)
        ways = structs.replace(self._config.ways(), host=host)
        self._route, self._added = find_way(ways, self._rules, asker, ())
        draft = structs.replace(stable.draft, members=self._route.members)
        self._received, self._body = parsed.body, self._dialect.request(draft).body
        if reads_marks(host, self._config.upstream.markers):
            self._body, edits = mark(self._body, self._rules, stable.options.model)
            self._added += edits
        self._stable = stable

    def _answer(self, step: Step) -> None:
        said = msgspec.json.decode(step.text)
        calls = tuple(Call(**call) for call in said.get("calls", ()))
        answer = Answer(said.get("text", ""), said.get("thinking", ""), said.get("signature", ""), calls, "end")
        self._journal.answers.remember(self._latest.group, answer)

    def _interrupted(self, step: Step) -> None:
        said = msgspec.json.decode(step.text)
        keys = self._latest.keys
        self._journal.answers.remember_cut(self._latest.group, Answer(**said), keys[-1] if keys else b"")

    def _findings(self, step: Step) -> None:
        notes = [f"{note.code} {note.path}: {note.note}" for note in self._latest.notes if not note.standing]
        notes += [f"{edit.code} {edit.path}: {edit.note}" for edit in self._added]
        _expect(notes, step.text.splitlines())

    def _metadata(self, step: Step) -> None:
        _expect([f"{name}={value}" for name, value in self._latest.metadata], step.text.splitlines())

    def _causes(self, step: Step) -> None:
        codes = [code for one in self._latest.differences for code in self._rules.causes(one)]
        _expect(list(dict.fromkeys(codes)), step.text.split())

    def _sent(self, step: Step) -> None:
        body = self._body
        if self._dialect.same_protocol:
            _expect(body.decode(), step.text)
            return
        said: dict[str, Any] = msgspec.json.decode(body)
        wanted: dict[str, Any] = msgspec.json.decode(step.text)
        _expect({name: said.get(name) for name in wanted}, wanted)

    def _markers(self, step: Step) -> None:
        changed = (difference.path for difference in self._latest.differences)
        model = self._latest.options.model
        _expect(list(faults(self._received, self._body, self._rules, model, changed)), step.text.split())

    def _headers(self, step: Step) -> None:
        _expect([f"{name}: {value}" for name, value in self._route.headers], step.text.splitlines())


def _callers(step: Step) -> None:
    held: dict[str, dict[str, str]] = {}
    for line in step.text.splitlines():
        said, _, rest = line.partition(" -> ")
        model, _, values = said.partition(" ")
        wanted, _, changed = rest.partition("; changed ")
        fix = settle(_texts(values), held.get(model, {}))
        _expect(fix.value, _texts(wanted))
        _expect([edit.path for edit in fix.edits], changed.split())
        held[model] = hold(held.get(model, {}), fix.value)


def _texts(values: str) -> dict[str, str]:
    said: dict[str, Any] = msgspec.json.decode(values)
    return {pointer: msgspec.json.encode(value).decode() for pointer, value in said.items()}


def _replicas(step: Step) -> None:
    for line in step.text.splitlines():
        header, _, replica = line.partition(" -> ")
        name, _, value = header.partition(": ")
        _expect(replica_of({name: value}) or "nobody", replica.strip())


def _expect(found: object, wanted: object) -> None:
    assert found == wanted, f"found  {found!r}\nwanted {wanted!r}"


def _seats(step: Step) -> None:
    table = seats(int(step.word))
    slots: dict[str, int | None] = {}
    for line in step.text.splitlines():
        if (lineage := line.removesuffix(" leaves")) != line:
            table = leave(table, slots[lineage])
            continue
        guest = _GUEST.fullmatch(line)
        assert guest is not None, f"a line that cannot be read: {line}"
        choice = choose(table, Guest(guest["lineage"], guest["session"], guest["kind"]))
        _expect((str(choice.slot), choice.reason), (guest["slot"], guest["reason"]))
        table, slots[guest["lineage"]] = choice.table, choice.slot


def _verdicts(step: Step) -> None:
    for line in step.text.splitlines():
        report = _REPORT.fullmatch(line)
        assert report is not None, f"a line that cannot be read: {line}"
        usage = Usage(int(report["now"]), int(report["cached"]), 1)
        verdict = judge(usage, Predecessor(int(report["had"]), int(report["answer"] or 0), 1.0, True))
        _expect(" ".join((verdict.outcome, verdict.blame, *verdict.causes)), report["verdict"])


def _server(step: Step) -> None:
    for line in step.text.splitlines():
        seen, arrow, code = line.partition(" -> ")
        assert arrow, f"a line that cannot be read: {line}"
        said: dict[str, Any] = {
            "cached": None,
            "prompt_tokens": None,
            "before": None,
            "answer": None,
            "appended": False,
        }
        for word in seen.split():
            name, _, value = word.partition("=")
            said[name] = value if name == "memory" else int(value) if value.isdecimal() else value != "no"
        said["actual"] = said.pop("cached")
        loss = msgspec.convert({name: said[name] for name in said if name in Loss.__struct_fields__}, Loss)
        server = msgspec.convert({name: said[name] for name in said if name in Server.__struct_fields__}, Server)
        unknown = said.keys() - {*Loss.__struct_fields__, *Server.__struct_fields__}
        assert not unknown, f"no such thing can be seen: {unknown}"
        _expect(server_cause(loss, server), code)
