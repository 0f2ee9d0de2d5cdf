"""What requests are expected to begin with: one text a conversation, and no more than was allowed."""

from __future__ import annotations

from keepwarm.codec.lead import Lead
from keepwarm.session.leads import Leads


def lead(text: bytes) -> Lead:
    return Lead(text, (slice(1, len(text)),), (b"wire",))


def test_the_latest_that_a_body_begins_with_is_found() -> None:
    leads = Leads()
    assert leads.find(b"[one,two]") is None
    first, longer, other = lead(b"[one"), lead(b"[one,two"), lead(b"[three")
    for one in (first, longer, other):
        leads.learn(one)
    cut = leads.find(b"[one,two,three]")
    assert cut is not None
    assert cut.lead is longer
    assert leads.find(b"[four]") is None


def test_a_conversation_keeps_its_latest_alone() -> None:
    leads = Leads()
    first, second = lead(b"[one"), lead(b"[one,two")
    leads.learn(first)
    leads.learn(second, first)
    assert leads.bytes() == len(second.text)
    assert leads.find(b"[one,three]") is None
    leads.learn(lead(b"[one,four"), first)
    assert leads.bytes() == len(second.text) + len(b"[one,four")


def test_what_was_learnt_longest_ago_goes_first() -> None:
    leads = Leads(capacity=20)
    for word in (b"[seven", b"[eight", b"[nine", b"[ten"):
        leads.learn(lead(word))
        assert leads.bytes() <= 20
    assert leads.find(b"[seven]") is None
    assert leads.find(b"[ten]") is not None
    leads.learn(lead(b"[" + b"x" * 40))
    assert leads.bytes() == 0
