"""The table to paste, the bars and the verdict, from made-up figures."""

from __future__ import annotations

import json

from msgspec.structs import replace

from keepwarm.checks.trial import ARMS, Arm, ArmLog, LogStory, MemoryPoint, Sample, Span, Trial, conclude
from keepwarm.views.trial import bars, markdown, print_trial, verdict
from tests.views.screens import Screen

MIB = 1 << 20


def trial(slow: float = 6.0, rounds: int = 3, warm: float = 0.3) -> Trial:
    """A trial whose first arm waits `slow` each time, and the last two `warm`."""
    samples: list[Sample] = []
    for number in range(1, rounds + 1):
        for arm in ARMS:
            on = arm == Arm("straight", True)
            wait = slow if on else 0.3 if arm.way == "straight" else warm
            line = arm.header and arm.way == "straight"
            samples.append(Sample(arm, number, 1, 6.0, 1000, 0, line, None, "slots"))
            cached = 10 if on else 990
            samples.append(
                Sample(arm, number, 2, wait + number / 100, 1010, cached, line, 0.01 if on else 1.0, "slots")
            )
    spans = tuple(Span(arm, 1, 10.0 * place, 10.0 * place + 9) for place, arm in enumerate(ARMS))
    memory = tuple(MemoryPoint(float(second), (500 + second) * MIB) for second in range(40))
    return Trial(
        keepwarm="0.1.0",
        server="llama.cpp <b1> & so on",
        endpoint="chat",
        style="2.1.114",
        rounds=rounds,
        tokens=1000,
        samples=tuple(samples),
        memory_of="the server's process",
        memory=memory,
        spans=spans,
    )


def test_the_table() -> None:
    lines = markdown(trial()).splitlines()
    assert lines[0].startswith("llama.cpp <b1> & so on; prompts of 1,010 tokens, 3 rounds")
    assert lines[2].startswith("| arm | first request | later requests |")
    first = "| straight, header on | 6.00 s (6.00 to 6.00) | 6.02 s (6.01 to 6.03) | 1,000 of 1,010 | 1.0% | 6 of 6 |"
    assert lines[4] == f"{first} +9 MiB |"
    last = "| keepwarm, header off | 6.00 s (6.00 to 6.00) | 0.32 s (0.31 to 0.33) | 20 of 1,010 | 100.0% | 0 of 6 |"
    assert lines[7] == f"{last} +9 MiB |"
    assert "read out of the server's slots" in lines[-1]


def test_what_the_log_says_of_each_arm() -> None:
    counts = (ArmLog(ARMS[0], 6, 6, 12, 6000, 5988, 1), ArmLog(ARMS[1], 6), ArmLog(ARMS[2]), ArmLog(ARMS[3], 2, 0))
    read = replace(trial(), log=LogStory("server.log", counts))
    lines = markdown(read).splitlines()
    assert lines[2].endswith("| header lines, log | reused, log |")
    assert lines[4].endswith("| 6 | 12 of 6,000, 1 prompt in full |")
    assert lines[5].endswith("| 0 | - |")
    assert lines[6].endswith("| - | - |")
    assert lines[-1].endswith("(server.log): header lines in it: 6 / 0 / 0 / 0, in 14 prompts that it holds.")
    silent = replace(read, log=replace(LogStory("server.log", counts), note="It holds no prompts."))
    assert markdown(silent).splitlines()[-1] == "The server's log (server.log): It holds no prompts."


def test_what_is_not_reported_is_not_zero() -> None:
    samples = tuple(Sample(arm, n, r, 1.0) for arm in ARMS for n in (1, 2, 3) for r in (1, 2))
    bare = Trial(keepwarm="1", server="s", endpoint="messages", style="2.1.114", rounds=3, tokens=900, samples=samples)
    row = markdown(bare).splitlines()[4]
    assert row == "| straight, header on | 1.00 s (1.00 to 1.00) | 1.00 s (1.00 to 1.00) | not reported | - | - | - |"
    assert "about 900 tokens" in markdown(bare)


def test_the_longest_bar_is_the_slowest_arm() -> None:
    lines = bars(trial()).splitlines()[1:]
    assert [line.count("█") for line in lines] == [40, 2, 2, 2]


def test_the_verdict_says_what_to_do() -> None:
    assert "keepwarm mends it" in verdict(conclude(trial()))[-1]
    assert "costs nothing" in verdict(conclude(trial(slow=0.3)))[-1]
    assert "--rounds" in verdict(conclude(trial(rounds=2)))[-1]


def test_it_prints_for_a_person_and_as_json() -> None:
    screen = Screen(100, "ascii")
    print_trial(trial(), screen.console)
    text = screen.text()
    assert "| straight, header on |" in text
    assert "####" in text
    screen = Screen()
    print_trial(trial(), screen.console, as_json=True)
    told = json.loads(screen.text())
    assert told["exit_code"] == 0
    assert [one["outcome"] for one in told["comparisons"]] == ["costs", "none"]
    assert len(told["samples"]) == 24
