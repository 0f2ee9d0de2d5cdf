"""The judge of played scenarios: it finds what is wrong, and nothing else."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Verdict
from keepwarm.ledger.verdict import SLACK
from keepwarm.testing.scenarios.verdicts import faults, points_at
from tests.testing.scenarios.judged import HIT, played, with_record


@pytest.mark.parametrize("name", ["clean", "VOL001-each", "HIS005-opening", "VOL001-each+ORD001-each+HIS005-opening"])
@pytest.mark.parametrize("mends", [True, False])
def test_nothing_is_wrong_where_all_is_listed_and_named(name: str, mends: bool) -> None:
    assert faults(played(name, mends=mends)) == []


@pytest.mark.parametrize(("name", "mends"), [("VOL001-each", True), ("VOL001-each", False), ("HIS005-opening", True)])
def test_a_cause_that_nobody_names_is_missed(name: str, mends: bool) -> None:
    found = faults(played(name, mends=mends, hears=False))
    assert found
    assert all(name.split("-")[0] in fault for fault in found)


def test_one_of_several_that_is_not_named_is_missed() -> None:
    whole = played("VOL001-each+ORD001-each", mends=False)
    verdict = Verdict("miss", "client", "counted", causes=("VOL001",), place=Place("/system/0/text", 0, "there"))
    assert ["ORD001" in fault for fault in faults(with_record(whole, 1, verdict=verdict))] == [True]


def test_a_place_that_is_another_is_found() -> None:
    whole = played("HIS005-result", mends=False)
    verdict = Verdict("miss", "client", "counted", causes=("HIS005",), place=Place("/messages/4", 0, "there"))
    assert len(faults(with_record(whole, 4, verdict=verdict))) == 1
    listed = played("HIS003-rewritten")
    note = EditNote("HIS003", "/messages/9/content/0/input", "exact", 1, 0)
    assert len(faults(with_record(listed, 1, edits=(note,)))) == 1


def test_a_finding_where_nothing_is_wrong_is_found() -> None:
    blamed = Verdict("partial", "server", "counted", causes=("SRV001",))
    assert len(faults(with_record(played("clean"), 3, verdict=blamed))) == 1
    mended = EditNote("HIS006", "/messages/0", "exact", 0, 0)
    assert len(faults(with_record(played("clean"), 3, edits=(mended,)))) == 1
    assert len(faults(with_record(played("clean"), 3, verdict=None))) == 1


def test_what_costs_too_much_is_found_with_the_rules_on_only() -> None:
    for mends, count in ((True, 1), (False, 0)):
        dear = replace(played("clean", mends=mends), engine_tokens=4100)
        assert len(faults(dear)) == count


def test_words_that_the_model_does_not_read_are_missed() -> None:
    for mends, count in ((True, 2), (False, 0)):
        whole = played("clean", mends=mends)
        steps = list(whole.steps)
        steps[1] = replace(steps[1], exchange=replace(steps[1].exchange, prompt="nothing"))
        assert len(faults(replace(whole, steps=tuple(steps)))) == count


def test_another_count_than_the_servers_is_found() -> None:
    told = with_record(played("clean"), 2, usage=Usage(prompt_tokens=2500, cached_tokens=2001))
    assert len(faults(told)) == 1


def test_what_costs_next_to_nothing_need_not_be_named_when_observed() -> None:
    whole = played("HIS003-rewritten", mends=False, hears=False)
    steps = [
        replace(step, exchange=replace(step.exchange, cached_tokens=step.exchange.prompt_tokens - 500))
        for step in whole.steps
    ]
    counted = [
        replace(step, record=replace(step.record, verdict=HIT, usage=Usage(
            prompt_tokens=step.exchange.prompt_tokens, cached_tokens=step.exchange.cached_tokens)))
        for step in steps
    ]  # fmt: skip
    assert faults(replace(whole, steps=tuple(counted))) == []


@pytest.mark.parametrize(
    ("found", "truth", "hits"),
    [
        ("/messages/1/content/2/input", "/messages/1/content/2/input", True),
        ("/messages/1", "/messages/1/content/2/input", True),
        ("/messages", "/messages/1/content/2/input", False),
        ("/messages/1", "/messages/10/content/0", False),
        ("/messages/1/content/0/text", "/messages/1/content/2/text", False),
        ("/messages/3/content/0", "/messages/3", True),
        ("/tools", "/tools/4", True),
        ("/system", "/system/0/text", True),
        ("/system/0/text", "/system/2/text", False),
        ("/model", "/model", True),
        ("", "/model", False),
    ],
)
def test_what_points_at_a_place(found: str, truth: str, hits: bool) -> None:
    assert points_at(found, truth) is hits


def test_on_blocks_a_loss_below_a_block_more_need_not_be_named() -> None:
    whole = played("HIS005-result", mends=False)
    silent = with_record(whole, 4, verdict=HIT)
    held = silent.steps[3].exchange.held_tokens
    for lost, count in ((SLACK + 20, 0), (SLACK + 40, 1)):
        steps = list(silent.steps)
        exchange = replace(steps[4].exchange, cached_tokens=min(held, steps[4].exchange.prompt_tokens) - lost)
        usage = Usage(prompt_tokens=exchange.prompt_tokens, cached_tokens=exchange.cached_tokens)
        record = replace(steps[4].record, usage=usage)
        steps[4] = replace(steps[4], exchange=exchange, record=record)
        assert len(faults(replace(silent, steps=tuple(steps), block=32))) == count


def test_what_the_server_mends_itself_must_not_be_named_and_is_no_place() -> None:
    whole = played("VOL001-each+HIS005-result", mends=False)
    spared = replace(whole, setting=replace(whole.setting, spared=("VOL001",)))
    path = spared.steps[4].request.truth.causes[-1].path
    for place, count in ((path, 0), ("/system/0/text", 1)):
        verdict = Verdict("partial", "client", "counted", causes=("HIS005",), place=Place(place, 0, "there"))
        found = [fault for fault in faults(with_record(spared, 4, verdict=verdict)) if "request 4" in fault]
        assert len(found) == count
    named = Verdict("partial", "client", "counted", causes=("VOL001", "HIS005"), place=Place(path, 0, "there"))
    found = [fault for fault in faults(with_record(spared, 4, verdict=named)) if "request 4" in fault]
    assert ["finds client VOL001,HIS005" in fault for fault in found] == [True]
