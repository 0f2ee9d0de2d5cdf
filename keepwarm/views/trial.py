"""`keepwarm verify` for a person: a table to paste, bars for a terminal, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec
from rich.console import Console

from keepwarm.checks.memory import gib
from keepwarm.checks.trial import ARMS, Arm, Comparison, Trial, by_round, conclude, exit_code, shown, spread
from keepwarm.views import words

_BAR: Final = 40
_HEADING: Final = (
    "arm",
    "first request",
    "later requests",
    "processed, later",
    "prompt kept",
    "line in prompt",
    "memory",
)
_LOG_HEADING: Final = ("header lines, log", "reused, log")
_EVIDENCE: Final = {
    "slots": "read out of the server's slots",
    "template": "made by the server's own template of what was sent",
    "sent": "what was sent: this server shows no prompt",
    "": "unknown",
}


def print_trial(trial: Trial, console: Console, as_json: bool = False) -> None:
    """Print it: for a person, or as JSON."""
    if as_json:
        console.file.write(msgspec.json.format(msgspec.json.encode(as_told(trial)), indent=2).decode() + "\n")
        return
    text = f"\n{bars(trial)}\n\n{markdown(trial)}\n\n" + "\n".join(verdict(conclude(trial)))
    shown_text = words.ascii_only(text) if console.options.ascii_only else text
    console.print(shown_text, highlight=False, markup=False, soft_wrap=True)


def as_told(trial: Trial) -> dict[str, object]:
    """The trial for a program, with what is concluded."""
    comparisons = conclude(trial)
    told: dict[str, object] = msgspec.to_builtins(trial)
    return told | {
        "comparisons": msgspec.to_builtins(comparisons),
        "verdict": verdict(comparisons),
        "exit_code": exit_code(comparisons),
    }


def verdict(comparisons: Sequence[Comparison]) -> list[str]:
    """What is concluded, a sentence a way, and what to do."""
    lines = [one.why for one in comparisons]
    outcomes = {one.way: one.outcome for one in comparisons}
    if "unclear" in outcomes.values():
        lines.append("Try again on a quieter machine, with longer prompts (--tokens) or more rounds (--rounds).")
    elif outcomes == {"straight": "costs", "keepwarm": "none"}:
        lines.append("So keepwarm mends it:  keepwarm run claude   (the line alone:  keepwarm fix claude)")
    elif outcomes == {"straight": "none", "keepwarm": "none"}:
        lines.append("So the line costs nothing on this way to this server.")
    elif outcomes.get("keepwarm") == "costs":
        lines.append("So keepwarm does not mend it here:  keepwarm explain last  tells why.")
    return lines


def markdown(trial: Trial) -> str:
    """A table to paste, with what was measured above it and how to read it below."""
    heading = _HEADING + (_LOG_HEADING if trial.log is not None else ())
    rows = [heading, tuple(["---"] + ["---:"] * (len(heading) - 1)), *(_row(trial, arm) for arm in ARMS)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    evidence = {one.evidence for one in trial.samples}
    prompts = " and ".join(_EVIDENCE[one] for one in sorted(evidence))
    asked = "chat completions" if trial.endpoint == "chat" else "its Messages API"
    longest = [one.prompt for one in trial.samples if one.prompt]
    size = f"{max(longest):,} tokens" if longest else f"about {trial.tokens:,} tokens"
    return (
        f"{trial.server}; prompts of {size}, {trial.rounds} rounds, the header of Claude Code {trial.style}, straight "
        f"to {asked}; keepwarm {trial.keepwarm}.\n\n{table}\n\n"
        "Times are to the first token, at the client: median (least to most) over the rounds. Prompts: "
        f"{prompts}. Memory: {trial.memory_of or 'could not be read'}, how much it grew within a session."
        + _of_the_log(trial)
    )


def bars(trial: Trial) -> str:
    """The later requests as bars: to the median, with a line on to the slowest."""
    values = {arm: by_round(trial.later(arm)) for arm in ARMS}
    most = max((max(row) for row in values.values() if row), default=0.0)
    if not most:
        return ""
    lines = ["Wait of a later request, to the first token:"]
    for arm, row in values.items():
        of = spread(row)
        full, reach = round(_BAR * of.median / most), round(_BAR * of.high / most)
        bar = "█" * max(1, full) + "─" * max(0, reach - max(1, full))
        lines.append(f"  {arm.name:<20} {bar:<{_BAR}} {shown(of)}")
    return "\n".join(lines)


def _row(trial: Trial, arm: Arm) -> tuple[str, ...]:
    later, every = trial.later(arm), trial.of(arm)
    first = [one.first_token_s for one in every if one.request == 1]
    processed = [one.processed for one in later if one.processed is not None]
    prompts = [one.prompt for one in later if one.prompt is not None]
    kept = [one.kept for one in later if one.kept is not None]
    told = [one.with_line for one in every if one.with_line is not None]
    return (
        arm.name,
        shown(spread(first)) if first else "-",
        shown(spread(by_round(later))) if later else "-",
        f"{median(processed):,.0f} of {median(prompts):,.0f}" if processed and prompts else "not reported",
        f"{100 * median(kept):.1f}%" if kept else "-",
        f"{sum(told)} of {len(told)}" if told else "-",
        _grown(trial, arm),
        *_log_cells(trial, arm),
    )


def _log_cells(trial: Trial, arm: Arm) -> tuple[str, ...]:
    """What the server's log says of an arm; nothing where none was read."""
    if trial.log is None:
        return ()
    said = next(one for one in trial.log.arms if one.arm == arm)
    reuse = f"processed {said.processed:,}" if said.processed else "-"
    if said.asked:
        reuse = f"{said.reused:,} of {said.asked:,}"
    forced = f", {words.times(said.forced, 'prompt')} in full" if said.forced else ""
    return (f"{said.header_lines:,}" if said.prompts or said.header_lines else "-", reuse + forced)


def _of_the_log(trial: Trial) -> str:
    if trial.log is None:
        return ""
    counts = " / ".join(f"{one.header_lines:,}" for one in trial.log.arms)
    seen = f"header lines in it: {counts}, in {sum(one.prompts for one in trial.log.arms):,} prompts that it holds."
    return f"\n\nThe server's log ({trial.log.of}): {trial.log.note or seen}"


def _grown(trial: Trial, arm: Arm) -> str:
    """How much memory grew within an arm's sessions, the median of the rounds."""
    grown: list[int] = []
    for span in trial.spans:
        within = [one.used for one in trial.memory if span.arm == arm and span.began <= one.at <= span.ended]
        if within:
            grown.append(max(within) - within[0])
    return f"+{gib(round(median(grown)))}" if grown else "-"
