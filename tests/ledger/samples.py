"""Records for the tests of the ledger and of its views: one by hand, and a strategy for any."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Record, Recording, Seat, Verdict

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNTS = st.integers(0, 2**63 - 1)
MILLISECONDS = st.floats(0, allow_nan=False, allow_infinity=False)

MOMENTS = st.floats(0, 2**33, allow_nan=False)
"""Unix seconds until the year 2242."""

USAGES = st.builds(
    Usage,
    *[st.none() | COUNTS] * 3,
    st.none() | MILLISECONDS,
    st.none() | MILLISECONDS,
    st.none() | COUNTS,
)
PLACES = st.builds(Place, path=WORDS, offset=COUNTS, what=WORDS, before=WORDS, after=WORDS, code=WORDS)
VERDICTS = st.builds(
    Verdict,
    outcome=st.sampled_from(["hit", "partial", "miss", "first", "unknown"]),
    blame=st.sampled_from(["client", "gateway", "seat", "server", "provider", "nobody"]),
    grade=st.sampled_from(["exact", "counted", "estimated", "unknown"]),
    expected=st.none() | COUNTS,
    actual=st.none() | COUNTS,
    lost=COUNTS,
    causes=st.lists(WORDS, max_size=3).map(tuple),
    place=st.none() | PLACES,
    sentence=WORDS,
    had=st.none() | COUNTS,
    lost_ms=st.none() | MILLISECONDS,
    places=st.lists(PLACES, max_size=3).map(tuple),
    shared=st.none() | COUNTS,
)
SEATS = st.builds(Seat, slot=st.none() | COUNTS, reason=WORDS, replica=WORDS)
EDITS = st.builds(
    EditNote, code=WORDS, path=WORDS, safety=WORDS, removed=COUNTS, added=COUNTS, note=WORDS, standing=st.booleans()
)
RECORDS = st.builds(
    Record,
    id=WORDS,
    at=MOMENTS,
    front=WORDS,
    client=WORDS,
    session=WORDS,
    agent=WORDS,
    kind=st.sampled_from(["main", "subagent", "side"]),
    lineage=WORDS,
    parent=WORDS,
    turn=COUNTS,
    upstream=WORDS,
    model=WORDS,
    stream=st.booleans(),
    status=st.integers(0, 999),
    ending=st.sampled_from(["done", "failed", "hung_up"]),
    error=WORDS,
    edits=st.lists(EDITS, max_size=3).map(tuple),
    metadata=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    usage=USAGES,
    verdict=st.none() | VERDICTS,
    seat=st.none() | SEATS,
    received_bytes=COUNTS,
    sent_bytes=COUNTS,
    answered_bytes=COUNTS,
    overhead_ms=st.none() | MILLISECONDS,
    first_byte_ms=st.none() | MILLISECONDS,
    first_token_ms=st.none() | MILLISECONDS,
    total_ms=st.none() | MILLISECONDS,
)

_PLAIN = Record(
    id="5f0c2a9e61",
    at=1_790_000_000.25,
    front="anthropic",
    client="claude-cli/2.1.114",
    session="3fa81c22-0000-4000-8000-000000000001",
    agent="",
    kind="main",
    lineage="00ff",
    parent="",
    turn=1,
    upstream="llama.cpp",
    model="tiny",
    stream=True,
    status=200,
    ending="done",
    usage=Usage(prompt_tokens=20_431, cached_tokens=20_102, output_tokens=40, prompt_ms=310.0, output_ms=900.0),
    verdict=Verdict("hit", "nobody", "counted", expected=20_102, actual=20_102),
    seat=Seat(2, "its own seat since turn 1", "http://127.0.0.1:8080"),
    received_bytes=90_000,
    sent_bytes=88_000,
    answered_bytes=1_200,
    overhead_ms=1.5,
    first_byte_ms=2.0,
    first_token_ms=330.0,
    total_ms=1_250.0,
)


def a_record(**changes: object) -> Record:
    """A turn of Claude Code that went well, with `changes` to its fields."""
    return msgspec.structs.replace(_PLAIN, **changes)


def segments(*texts: str) -> tuple[tuple[bytes, bytes], ...]:
    """(digest, text) of each text: the digest is padded from the text, enough to tell short texts apart."""
    return tuple((text.encode()[:16].ljust(16, b"\0"), text.encode()) for text in texts)


def a_recording(record_id: str, *texts: str) -> Recording:
    """A recording of these texts, sent as they were received."""
    return Recording(record_id, segments(*texts), segments(*texts))
