"""What is said of memory."""

from __future__ import annotations

from keepwarm.checks.memory import GIB, Reading, gib, judge_memory


def test_a_card_and_a_process() -> None:
    card = Reading("nvidia", "Card 1", 12 * GIB, 24 * GIB, 11 * GIB)
    process = Reading("process", "process 7", 512 << 20)
    findings = judge_memory([card, process], [])
    titles = [one.title for one in findings]
    assert titles == [
        "Card 1: 12.0 GiB of 24.0 GiB in use, 11.0 GiB of it the server's.",
        "process 7: 512 MiB in use.",
    ]


def test_a_reader_that_no_card_has_seen_says_so() -> None:
    card, process = judge_memory([Reading("nvidia", "Card", 1, 9), Reading("process", "p", 1)], [])
    assert "not been tried on hardware" in card.detail
    assert process.detail == ""


def test_a_full_card_is_warned_of() -> None:
    (full,) = judge_memory([Reading("amd", "Card", 98 * GIB, 100 * GIB)], [])
    assert (full.code, full.severity) == ("memory-full", "warn")


def test_nothing_read_says_why() -> None:
    (none,) = judge_memory([], ["nvidia: no module", "process: hidden"])
    assert none.code == "memory-unread"
    assert none.detail == "nvidia: no module; process: hidden"


def test_sizes() -> None:
    assert [gib(0), gib(5 << 20), gib(GIB)] == ["0 MiB", "5 MiB", "1.0 GiB"]
