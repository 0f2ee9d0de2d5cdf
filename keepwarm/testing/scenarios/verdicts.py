"""Whether a scenario that was played went as it must: each function gives the faults in words, none when all is well.

With the rules on: at most LIMIT times the ideal is prefilled (on an engine that caches blocks, the ideal counts as kept
what fills blocks: less than a block for each request, and nothing more, is allowed for), what was mended is listed and
what cannot be is named.
Observing: every cause is named with its place. In both: nothing is found where nothing is, the cached count is the
server's own, and no word of the newest turn is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.records import Record
from keepwarm.ledger.verdict import SLACK
from keepwarm.testing.scenarios.played import Played, Step
from keepwarm.testing.scenarios.scenario import Client
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.testing.scenarios.truth import Cause
from keepwarm.testing.scenarios.view import Result, Text

LIMIT: Final = 1.02
"""How much more than the ideal may be prefilled."""
_SWITCHES: Final = "/chat_template_kwargs"
"""What is said there mends the server's template, whatever the client does."""
_PAST: Final = 1.2
"""How much further than a place, reckoned in characters, counts as past it."""


def faults(played: Played) -> list[str]:
    """Everything that is wrong with a scenario that was played."""
    found = list(played.faults)
    client = Client(played.scenario)
    for step in played.steps:
        row = [*_counts(step), *(_mended(step) if played.setting.mends else _observed(played, step))]
        row += _lost_words(step, client) if played.setting.mends else ()
        injections = [INJECTIONS[name] for name in played.scenario.injections]
        row += _invented(played, step, {code for one in injections for code in (one.code, *one.also)})
        found += [f"request {step.request.number}: {fault}" for fault in row]
    if played.setting.mends:
        found += _cost(played)
    return found


def points_at(found: str, truth: str) -> bool:
    """Whether a JSON pointer names a place, or what encloses it within its message, tool or block."""
    if found == truth or (truth.startswith(f"{found}/") and found.count("/") >= 2):
        return True
    # The order of all tools, the system prompt as one string, or something inside of what was meant.
    return (found in ("/tools", "/system") and truth.startswith(found)) or found.startswith(f"{truth}/")


def _cost(played: Played) -> Iterator[str]:
    if played.engine_tokens > LIMIT * played.ideal:
        rows = [
            f"{step.request.number}: {step.exchange.prefilled_tokens} for {step.ideal}"
            for step in played.steps
            if step.exchange.prefilled_tokens > LIMIT * step.ideal + 2
        ]
        share = played.engine_tokens / played.ideal
        yield f"cost {played.engine_tokens} tokens, {share:.2f} times the ideal; by request {', '.join(rows) or 'none'}"


def _lost_words(step: Step, client: Client) -> Iterator[str]:
    """What the newest turn says, without what was injected into it, and the model does not read."""
    for part in client.plan.asks[step.request.number].said[0].parts:
        if isinstance(part, Text | Result) and part.text not in step.exchange.prompt:
            yield f"the model does not read {part.text[:40]!r}"


def _counts(step: Step) -> Iterator[str]:
    usage, exchange = step.record.usage, step.exchange
    if exchange.cancelled:
        return
    if (usage.prompt_tokens, usage.cached_tokens) != (exchange.prompt_tokens, exchange.cached_tokens):
        told, true = (
            f"{usage.cached_tokens}/{usage.prompt_tokens}",
            f"{exchange.cached_tokens}/{exchange.prompt_tokens}",
        )
        yield f"the record tells {told} cached, the server said {true}"


def _mended(step: Step) -> Iterator[str]:
    for cause in step.request.truth.causes:
        if not cause.fixable:
            yield from _named(step, cause)
        elif not (_is_listed(step.record, cause) or not cause.path or not list(_named(step, cause))):
            yield f"{cause.code} at {cause.path} is not listed: {_edits(step.record)}"


def _lost(played: Played, step: Step) -> int:
    """Tokens processed again that the server had after the request before."""
    before = step.request.truth.before
    if before is None:
        return step.exchange.prefilled_tokens
    held = played.steps[before].exchange.held_tokens
    return min(held, step.exchange.prompt_tokens) - step.exchange.cached_tokens


def _observed(played: Played, step: Step) -> Iterator[str]:
    if _lost(played, step) <= SLACK + played.block:  # so little is lost with any request
        return
    causes = _causes(played, step)
    for cause in causes:
        yield from _named(step, cause)
    verdict = step.record.verdict
    if causes and verdict is not None and verdict.place is not None and not _reused_past(played, step):
        paths = [cause.path for cause in causes]
        if paths[0] and not any(points_at(verdict.place.path, path) for path in paths):
            yield f"the place is {verdict.place.path}, the truth {' or '.join(paths)}"


def _causes(played: Played, step: Step) -> list[Cause]:
    """What costs something in a request."""
    return [cause for cause in step.request.truth.causes if cause.code not in played.setting.spared]


def _reused_past(played: Played, step: Step) -> bool:
    """Whether an engine that keeps many prompts had more of this one than the one before it has, from an older one:
    then what was lost begins further behind."""
    before, prompt = step.request.truth.before, step.exchange.prompt
    if before is None or played.block == 1:
        return False
    share = common_prefix(played.steps[before].exchange.prompt, prompt) / max(1, len(prompt))
    return step.exchange.cached_tokens > _PAST * share * step.exchange.prompt_tokens + played.block


def _named(step: Step, cause: Cause) -> Iterator[str]:
    """Faults of a verdict that must name `cause`."""
    verdict = step.record.verdict
    if verdict is None:
        yield f"{cause.code} at {cause.path}: no verdict"
    elif cause.code not in verdict.causes:
        said = f"{verdict.outcome} {verdict.blame} {','.join(verdict.causes)} ({verdict.sentence})"
        yield f"{cause.code} at {cause.path} is not named: {said}"
    elif cause.path and verdict.place is None:
        yield f"{cause.code} has no place, it is {cause.path}"


def _invented(played: Played, step: Step, injected: set[str]) -> Iterator[str]:
    """What is found where nothing is, or mended that is whole.

    injected  the codes of the whole scenario: what they have changed for good is mended in each request
    """
    verdict, causes = step.record.verdict, _causes(played, step)
    if verdict is None:
        if not step.exchange.cancelled:
            yield "no verdict"
        return
    true = {cause.code for cause in causes}
    false = [code for code in verdict.causes if code not in true]
    if false or (verdict.blame != "nobody" and not causes):
        yield f"finds {verdict.blame} {','.join(verdict.causes)}, the truth is {sorted(true)} ({verdict.sentence})"
    mended = [note for note in step.record.edits if note.path != _SWITCHES]
    if whole := [note.code for note in mended if note.code not in injected]:
        yield f"mends what is whole: {whole}"


def _is_listed(record: Record, cause: Cause) -> bool:
    paths = [path for path in (cause.path, cause.behind) if path]
    return any(
        note.code == cause.code and (note.standing or any(points_at(note.path, path) for path in paths))
        for note in record.edits
    )


def _edits(record: Record) -> str:
    row = [f"{note.code} {note.path}{' (standing)' if note.standing else ''}" for note in record.edits]
    return ", ".join(row) or "nothing is"
