"""What was sent stands, what is new arrives whole: the two promises, on conversations with every bad habit."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.diff import common_prefix
from keepwarm.exchange.commands import Write
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.exchange.stabilise import Stabiliser, Stable
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.session.journal import Journal
from keepwarm.testing.answers import Answer
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialect, dialects
from keepwarm.wire.fronts import FRONTS
from tests.exchange.conversations import QUOTES, Talk, exchange, some_answer
from tests.exchange.playbook import Playbook, keeper, play, request

dice = st.randoms(use_true_random=False)
Json = dict[str, Any]


def words(value: object) -> str:
    """Every string in a body, joined."""
    if isinstance(value, dict):
        return "\n".join(map(words, value.values()))
    if isinstance(value, list):
        return "\n".join(map(words, value))
    return value if isinstance(value, str) else ""


def stable_of(book: Playbook) -> Stable:
    assert book.life.story.stable is not None
    return book.life.story.stable


@given(dice, st.integers(2, 7))
def test_sent_n_is_a_prefix_of_sent_n_plus_1(dice: Random, turns: int) -> None:
    on, talk = keeper(), Talk(dice)
    before: Json | None = None
    answer = Answer()
    for number in range(turns):
        newest = talk.newest
        answer, last = some_answer(dice, number), answer
        book = exchange(talk, on, answer)
        now = book.sent()
        assert stable_of(book).differences == ()
        if before is not None:
            assert now.get("tools") == before.get("tools")
            shared = len(before["messages"])
            assert now["messages"][:shared] == before["messages"]
            generated = now["messages"][shared]
            assert (generated["content"], generated.get("reasoning_content", "")) == (last.text, last.thinking)
            calls = [(c["function"]["name"], c["function"]["arguments"]) for c in generated.get("tool_calls", ())]
            assert calls == list(last.tool_calls)
        heard = words(now["messages"])
        assert [word for word in newest if word not in heard] == []
        before = now


@given(dice, st.integers(3, 7))
def test_where_it_is_not_a_prefix_the_difference_says_where(dice: Random, turns: int) -> None:
    on, talk = keeper(), Talk(dice)
    sent: list[tuple[Json, str]] = []
    for number in range(turns):
        if dice.random() < 0.5:
            talk.edit()
        book = exchange(talk, on, some_answer(dice, number))
        now, stable = book.sent(), stable_of(book)
        if stable.before is not None and not stable.sibling:
            older = next(body for body, record in sent if record == stable.before.record)["messages"]
            whole = now["messages"][: len(older)] == older
            rewound = older[: len(now["messages"])] == now["messages"]
            same = common_prefix(older, now["messages"])
            # Who goes back to a turn and says something else there edits no history.
            went_back = all(message["role"] != "assistant" for message in now["messages"][same:])
            assert whole or rewound or went_back or stable.differences
            if any(one.share < 1.0 for one in stable.differences):  # else it is the answer that came back otherwise
                assert not whole
                assert all(one.path.startswith("/messages/") for one in stable.differences)
        sent.append((now, book.life.story.call.id))


@pytest.mark.parametrize("kind", ["llamacpp", "chat", "anthropic"])
@given(st.randoms(use_true_random=False), st.sampled_from(QUOTES))
def test_a_user_who_quotes_the_metadata_is_quoted_unchanged(kind: str, dice: Random, quote: str) -> None:
    said: list[Json] = [{"role": "user", "content": quote}]
    if dice.random() < 0.5:
        said = [
            {"role": "user", "content": [{"type": "text", "text": quote}, {"type": "text", "text": "and?"}]},
            {"role": "assistant", "content": quote},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": quote}]},
        ]
    journal, front = Journal(), FRONTS["anthropic"]
    body = request(*said)
    stable = Stabiliser(journal, rule_book(), dialect(Traits(kind)), front).run(front.parse(body), "s", "")
    outgoing = dialect(Traits(kind)).request(stable.draft)
    assert words(json.loads(outgoing.body)["messages"]).count(quote) == len(said)
    assert stable.notes == ()
    if kind == "anthropic":
        assert outgoing.body == body


@given(dice, st.integers(2, 6))
def test_two_conversations_side_by_side_do_not_touch_each_other(dice: Random, turns: int) -> None:
    on = keeper()
    talks = [Talk(dice, session) for session in ("one", "two")]
    sent: dict[str, Json] = {}
    for number in range(turns):
        for talk in talks:
            now = exchange(talk, on, some_answer(dice, number)).sent()
            before = sent.get(talk.session)
            if before is not None:
                assert now["messages"][: len(before["messages"])] == before["messages"]
            sent[talk.session] = now


def test_conversations_without_a_name_that_get_the_same_words_keep_their_own_reasoning() -> None:
    """Clients that name no session all share one group."""
    on = keeper()
    rows = {name: [{"role": "user", "content": f"{name} begins"}] for name in ("one", "two")}
    for name, said in rows.items():
        play(request(*said), on, Answer("Done.", thinking=f"{name} thinks"))
        said += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "go on"}]
    for name, said in rows.items():
        sent = play(request(*said), on, Answer("x")).sent()
        assert sent["messages"][1]["reasoning_content"] == f"{name} thinks"


@given(dice, st.integers(2, 6))
def test_translating_only_says_the_same_words(dice: Random, turns: int) -> None:
    """Where nothing is kept each request stands alone, and still nothing of it is lost."""
    on, talk = keeper(manner=Manner(keep=False), rules=RuleBook()), Talk(dice)
    for number in range(turns):
        newest = talk.newest
        book = exchange(talk, on, some_answer(dice, number))
        heard = words(book.sent()["messages"])
        assert [word for word in newest if word not in heard] == []
        (write,) = [command for command in book.commands if isinstance(command, Write)]
        assert write.record.edits == ()


# One thing at a time


def test_what_an_earlier_request_changed_is_listed_as_standing() -> None:
    on = keeper()
    first = [{"role": "user", "content": "hi"}, {"role": "system", "content": "Note."}]
    fresh = play(request(*first), on, Answer("Yes.")).over()
    again = play(
        request(*first, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "and?"}),
        on,
        Answer("No."),
    ).over()
    assert [(edit.code, edit.standing) for edit in fresh.edits] == [("ROL001", False)]
    assert [(edit.code, edit.standing) for edit in again.edits] == [("ROL001", True)]
    assert again.parent == fresh.id
    assert (fresh.turn, again.turn) == (1, 2)


def test_a_turn_in_which_nothing_is_said_is_no_turn() -> None:
    on = keeper()
    rows: list[Json] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Yes."}]
    empty = {"role": "system", "content": []}
    sent = play(request(*rows, empty), on, Answer("x")).sent()
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant"]
    book = play(request(*rows, empty, {"role": "user", "content": "go"}), on, Answer("x"))
    assert stable_of(book).differences == ()
    assert book.sent()["messages"][:2] == sent["messages"]


def test_a_deferred_tool_is_shown_from_the_result_on_that_loads_it() -> None:
    on = keeper()
    tools: list[Json] = [
        {"name": name, "defer_loading": name != "Bash", "input_schema": {}} for name in ("Bash", "Find", "Zip")
    ]
    rows: list[Json] = [{"role": "user", "content": "hi"}]
    assert [t["function"]["name"] for t in play(request(*rows, tools=tools), on, Answer("x")).sent()["tools"]] == [
        "Bash"
    ]
    rows += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Search", "input": {}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "tool_reference", "tool_name": "Zip"}],
                }
            ],
        },
    ]
    for _ in range(2):
        sent = play(request(*rows, tools=tools), on, Answer("x")).sent()
        assert [tool["function"]["name"] for tool in sent["tools"]] == ["Bash", "Zip"]
        rows += [{"role": "assistant", "content": "x"}, {"role": "user", "content": "on"}]


def test_an_older_request_is_gone_back_to_only_where_nothing_else_was_processed_since() -> None:
    """Behind all of it stand its answer and what is new; what the latest request says otherwise is lost."""
    on = keeper("chat", rules=RuleBook())

    def call(arguments: Json) -> Json:
        return {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": arguments}]}

    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]}
    hi, yes, more = ({"role": role, "content": role} for role in ("user", "assistant", "user"))
    one, other = call({"a": 1, "b": 2}), call({"b": 2, "a": 1})
    play(request(hi, one, result), on, Answer("assistant"))
    play(request(hi, other, result, yes, more), on, Answer("assistant"))
    back = stable_of(play(request(hi, one, result, yes, more, yes, more), on, Answer("x")))
    assert back.branch is None
    assert back.before is not None
    assert len(back.before.keys) == 5
    assert back.differences
    on = keeper("chat", rules=RuleBook())
    play(request(hi, one, result), on, Answer("assistant"))
    play(request(hi, other, result, yes, more), on, Answer("assistant"))
    assert stable_of(play(request(hi, one, result, yes, more), on, Answer("x"))).branch is not None


@pytest.mark.parametrize("quiet", [False, True])
def test_a_server_of_the_messages_api_defers_tools_itself(quiet: bool) -> None:
    spoken = dialects(Traits("anthropic", quiet_tools=quiet))
    on = Keeper("anthropic", spoken, rule_book(), Journal(), Manner())
    tools: list[Json] = [
        {"name": name, "defer_loading": name != "Bash", "input_schema": {}} for name in ("Bash", "Zip")
    ]
    body = request(tools=tools)
    assert Playbook(body, on).sent() == json.loads(body)


@pytest.mark.parametrize("kind", ["anthropic", "chat"])
def test_a_late_tool_is_told_where_the_server_prints_what_it_is_told_to(kind: str) -> None:
    on = Keeper(kind, dialects(Traits(kind, quiet_tools=True)), rule_book(), Journal(), Manner())
    tools: list[Json] = [{"name": name, "input_schema": {"type": "object"}} for name in ("Bash", "Zip")]
    rows: list[Json] = [{"role": "user", "content": "hi"}]
    assert "chat_template_kwargs" not in play(request(*rows, tools=tools[:1]), on, Answer("x")).sent()
    rows += [{"role": "assistant", "content": "x"}, {"role": "user", "content": "on"}]
    sent = Playbook(request(*rows, tools=tools), on).sent()
    assert [(tool.get("function") or tool)["name"] for tool in sent["tools"]] == ["Bash", "Zip"]
    assert [tool["function"]["name"] for tool in sent["chat_template_kwargs"]["tools"]] == ["Bash"]
    assert "The tool Zip is available now" in json.dumps(sent["messages"][-1])


def test_a_server_that_is_observed_gets_the_very_bytes() -> None:
    on = keeper("anthropic", manner=Manner(observe=True))
    body = request(
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "Note."},
        system="x-anthropic-billing-header: cch=1;\nBe brief.",
    )
    book = Playbook(body, on)
    opening = book.commands[0]
    assert opening.request.body == body  # type: ignore[union-attr]


def test_a_translated_prompt_that_may_not_be_rewritten_is_translated_and_nothing_more() -> None:
    on = keeper(manner=Manner(observe=True))
    header = "x-anthropic-billing-header: cch=1;\nBe brief."
    book = play(request(system=header), on, Answer("x"))
    assert [message["content"] for message in book.sent()["messages"]] == [header, "hi"]
    assert book.over().edits == ()


@pytest.mark.parametrize("kind", ["anthropic", "chat"])
@pytest.mark.parametrize(
    ("drops", "manner", "off", "told"),
    [
        (True, Manner(), (), True),
        (False, Manner(), (), False),
        (True, Manner(), ("HIS002",), False),
        (True, Manner(observe=True), (), False),
    ],
)
def test_a_template_that_drops_reasoning_is_told_to_keep_it(
    kind: str, drops: bool, manner: Manner, off: tuple[str, ...], told: bool
) -> None:
    spoken = dialects(Traits(kind, drops_thinking=drops))
    on = Keeper(kind, spoken, rule_book(off=off), Journal(), manner)
    book = Playbook(request(), on)
    switches = {"preserve_thinking": True, "clear_thinking": False}
    assert book.sent().get("chat_template_kwargs") == (switches if told else None)
    notes = [(note.code, note.path, note.safety) for note in stable_of(book).notes]
    assert notes == ([("HIS002", "/chat_template_kwargs", "exact")] if told else [])


def test_what_stands_for_one_kind_of_server_is_not_sent_to_another() -> None:
    """Another server may answer at the same address tomorrow."""
    journal = Journal()
    body = request(tools=[{"name": "Bash", "input_schema": {}}])
    sent = {}
    for kind in ("anthropic", "llamacpp", "anthropic"):
        sent[kind] = Playbook(body, keeper(kind, journal=journal)).sent()
    assert sent["anthropic"] == json.loads(body)
    assert sent["llamacpp"]["tools"][0]["function"]["name"] == "Bash"
    assert sent["llamacpp"]["messages"] == [{"role": "user", "content": "hi"}]


def test_counting_on_its_own_journal_changes_nothing() -> None:
    on = keeper()
    play(request(), on, Answer("x"))
    before = [lineage.id for lineage in on.journal.lineages()], on.journal.size
    front = FRONTS["anthropic"]
    parsed = front.parse(request({"role": "user", "content": "another"}))
    terms = on.terms(front.name)
    Stabiliser(Journal(), terms.books.book(""), terms.dialect, front).run(parsed, "", "")
    assert ([lineage.id for lineage in on.journal.lineages()], on.journal.size) == before
