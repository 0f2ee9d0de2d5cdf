"""One value for all callers of a model, and never less context than one asks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.rules.key003 import POINTERS, hold, settle

values = st.dictionaries(st.sampled_from(POINTERS), st.sampled_from(("4096", "8192", "true", '"5m"', "0")))


@given(values, values)
def test_settled_twice_changes_nothing_more(said: dict[str, str], held: dict[str, str]) -> None:
    once = settle(said, held)
    again = settle(once.value, held)
    assert (again.value, again.edits) == (once.value, ())
    kept = hold(held, once.value)
    assert settle(once.value, kept).edits == ()


@given(st.lists(values, max_size=6))
def test_a_model_is_loaded_anew_only_for_what_nobody_has_asked_for_yet(callers: list[dict[str, str]]) -> None:
    held: dict[str, str] = {}
    for said in callers:
        sent = settle(said, held).value
        for pointer in POINTERS:
            if said and pointer in held and sent[pointer] != held[pointer]:
                assert pointer == "/options/num_ctx"
                assert int(sent[pointer]) > (int(held[pointer]) if held[pointer].isdecimal() else -1)
        held = hold(held, sent)


@given(values, values)
def test_nobody_gets_less_context_than_it_asks_for(said: dict[str, str], held: dict[str, str]) -> None:
    wanted, given_ = said.get("/options/num_ctx", ""), settle(said, held).value.get("/options/num_ctx", "")
    if wanted.isdecimal() and given_.isdecimal():
        assert int(given_) >= int(wanted)


@given(values)
def test_every_change_is_listed_and_who_says_nothing_is_left_alone(held: dict[str, str]) -> None:
    said = {"/keep_alive": '"1h"'}
    fix = settle(said, held)
    changed = {pointer for pointer, value in fix.value.items() if said.get(pointer) != value}
    assert {edit.path for edit in fix.edits} == changed
    assert settle({}, held).value == {}
