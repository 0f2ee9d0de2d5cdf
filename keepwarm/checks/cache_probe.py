"""The cache probe: the same small prompt twice, then with another head. Bodies, readings and what they mean.

What it sends: up to eight requests of about 800 tokens, one token of answer each. It asks for a slot that was never
used where the server shows one, so that nobody's conversation is moved.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.checks.finding import TYPICAL_PROMPT, Finding
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream.api import Outgoing

Step: TypeAlias = Literal["cold", "same", "asked", "line", "head", "messages", "masked"]
"""`cold` nothing is there yet; `same` word for word; `asked` the same with `cache_prompt: true`; `line` with another
billing line; `head` with another first word of the system text; `messages` the first line over the Messages API, and
`masked` another one there."""

WORDS: Final = 260
"""Words of the probe's system text: about 400 tokens, of which a server that keeps blocks of 128 can reuse two."""
_REUSED: Final = 0.5
_FAR_QUICKER: Final = 3.0
_SHORTEST_MS: Final = 50.0
_REUSE: Final = {
    "llama.cpp": "llama-server ... --cache-prompt",
    "vLLM": "vllm serve ... --enable-prefix-caching",
    "SGLang": "python -m sglang.launch_server ...   # without --disable-radix-cache",
}
"""What has a server keep prompts, by its make."""
_REPORT: Final = {
    "vLLM": "vllm serve ... --enable-prompt-tokens-details",
    "SGLang": "python -m sglang.launch_server ... --enable-cache-report",
}
"""What has it tell how much it reused."""
_WORDS: Final = ("amber", "brook", "cliff", "dune", "ember", "field", "grove", "hill", "inlet", "jetty")


_found = partial(Finding, area="cache")
_fine = partial(_found, severity="ok")
_costs = partial(_found, severity="warn", tokens=TYPICAL_PROMPT, command="keepwarm run claude")
_LINE_STRIKES: Final = "each turn of Claude Code 2.1.114 to 2.1.179"
_CHANGES: Final[tuple[tuple[Step, Finding, Finding], ...]] = (
    (
        "line",
        _fine(
            code="line-removed",
            title="In chat completions the server removes the billing line itself: it costs nothing there.",
        ),
        _costs(
            code="line-costs",
            title="Another billing line: {lost:,} of {prompt:,} tokens were processed again (chat completions).",
            detail="So it is for an agent that keeps the line on and reaches the server through a proxy that "
            "translates.",
            strikes=_LINE_STRIKES,
        ),
    ),
    (
        "masked",
        _fine(
            code="header-masked", title="Over its own Messages API the server masks or removes the billing line itself."
        ),
        _costs(
            code="header-not-masked",
            title="Over its own Messages API too the billing line costs the whole prompt.",
            strikes=_LINE_STRIKES,
        ),
    ),
    (
        "head",
        _fine(code="head-reused", title="A changed head costs little here: {kept:,} of {prompt:,} tokens were reused."),
        _costs(
            code="head-costs",
            severity="info",
            title="A changed head: {lost:,} of {prompt:,} tokens were processed again.",
            detail="So it is with every prefix cache: a date, git status or a tool that changes there costs the "
            "prompt.",
            strikes="each change of the head",
            command="keepwarm serve",
        ),
    ),
)
"""What changes, and what is found where most of the prompt is kept all the same, and where it is lost."""


class Measured(msgspec.Struct, frozen=True):
    """One request of the probe, answered."""

    step: Step
    status: int
    """0 where nothing came back."""
    whole_ms: float
    """From sending it to the end of its answer."""
    prompt: int | None = None
    """Tokens of the prompt, as the server says."""
    cached: int | None = None
    """Of these, the reused ones; None where it does not report."""
    prompt_ms: float | None = None
    """Milliseconds of prefill, where the server measures them."""


class Probe(msgspec.Struct, frozen=True):
    """All that was measured."""

    steps: tuple[Measured, ...] = ()
    skipped: str = ""
    """Why nothing was sent."""

    def step(self, name: Step) -> Measured | None:
        """One of them; None where it was not sent or not answered with 200."""
        return next((one for one in self.steps if one.step == name and one.status == 200), None)

    @property
    def rate(self) -> float | None:
        """Tokens a second of prefill: the server's own figure, else from the time that the reused part saved."""
        cold, same = self.step("cold"), self.step("same")
        if cold is None or not cold.prompt:
            return None
        if cold.prompt_ms:
            return (cold.prompt - (cold.cached or 0)) / cold.prompt_ms * 1000
        saved = cold.whole_ms - same.whole_ms if same is not None else 0.0
        return cold.prompt / saved * 1000 if same is not None and _quicker(cold, same) else None

    @property
    def reports(self) -> bool | None:
        """Whether the server tells cached tokens; None where nothing was measured."""
        same = self.step("same")
        return None if same is None else same.cached is not None


def request(step: Step, nonce: str, model: str, slot: int | None) -> Outgoing:
    """The probe's request for one step.

    nonce  makes the prompt one that no cache holds
    slot   llama.cpp's, to be asked for in a chat completion; None = the server chooses
    """
    value = "e1e1e" if step in ("line", "masked") else "0d0d0"
    head = f"x-anthropic-billing-header: cc_version=2.1.114.abc; cc_entrypoint=cli; cch={value};"
    text = f"{'Another' if step == 'head' else 'Probe'} {nonce}. " + " ".join(
        f"{_WORDS[number % 10]}{number % 7}" for number in range(WORDS)
    )
    if step in ("messages", "masked"):
        return _messages(head, text, model)
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": f"{head}\n{text}"}, {"role": "user", "content": "Say yes."}],
        "max_tokens": 1,
        "temperature": 0,
    }
    if slot is not None:
        body["id_slot"] = slot
    if step == "asked":
        body["cache_prompt"] = True
    return Outgoing("/v1/chat/completions", msgspec.json.encode(body), (("content-type", "application/json"),))


def read_answer(step: Step, status: int, body: bytes, whole_ms: float) -> Measured:
    """What an answer tells, in either protocol."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any]) if status == 200 else {}
    except UNREADABLE:
        said = {}
    usage, timings = _table(said.get("usage")), _table(said.get("timings"))
    if "input_tokens" in usage:
        cached = usage.get("cache_read_input_tokens")
        written = usage.get("cache_creation_input_tokens") or 0
        prompt: Any = int(usage["input_tokens"]) + int(cached or 0) + int(written)
    else:
        cached = _table(usage.get("prompt_tokens_details")).get("cached_tokens")
        prompt = usage.get("prompt_tokens") or None
    return Measured(
        step,
        status,
        whole_ms,
        prompt if isinstance(prompt, int) else None,
        cached if isinstance(cached, int) else None,
        timings.get("prompt_ms"),
    )


def judge_probe(probe: Probe, name: str) -> list[Finding]:
    """Findings about the cache.

    name  of the server's make: "llama.cpp", "vLLM" ...
    """
    if probe.skipped:
        return [_found(code="not-probed", severity="info", title=f"Not probed: {probe.skipped}.")]
    cold, same = probe.step("cold"), probe.step("same")
    if cold is None or same is None:
        status = probe.steps[-1].status if probe.steps else 0
        said = f"it answered {status}" if status else "no answer came"
        title = f"The cache could not be probed: {said} to a chat completion of 400 tokens."
        return [
            _found(
                code="probe-failed",
                severity="warn",
                title=title,
                detail='A server that wants a key has it in keepwarm.toml, under [upstream]: key = "...".',
                command="keepwarm doctor --no-probe",
            )
        ]
    return [_rate(probe), _reuse(probe, cold, same, name), _reports(probe, name), *_changes(probe)]


def _rate(probe: Probe) -> Finding:
    rate = probe.rate
    if rate is None:
        title = "How fast it processes a prompt could not be measured: it does not say, and the times are too short."
        return _found(code="rate", severity="info", title=title)
    title = f"It processes about {rate:,.0f} tokens a second (measured on a short prompt; long ones go slower)."
    what = "a prompt of that length that misses"
    return _found(code="rate", severity="info", title=title, tokens=TYPICAL_PROMPT, strikes=what)


def _reuse(probe: Probe, cold: Measured, same: Measured, name: str) -> Finding:
    reused = reuses(cold, same)
    if reused:
        share = f"{same.cached:,} of {same.prompt:,} tokens" if same.cached is not None else "by its time"
        title = f"The same prompt a second time is reused ({share})."
        return _found(code="reuse", severity="ok", title=title)
    if reused is None:
        title = "Whether it reuses a prompt cannot be told: it does not report, and the times are too close."
        return _found(code="reuse-unknown", severity="info", title=title)
    asked = probe.step("asked")
    if asked is not None and reuses(cold, asked):
        return _found(
            code="cache-prompt-off",
            severity="bad",
            title="The server reuses a prompt only when it is asked to: it was started with --no-cache-prompt.",
            detail="keepwarm asks in each request; an agent that talks to it straight does not. Without that flag the "
            "server does it by itself.",
            tokens=TYPICAL_PROMPT,
            strikes="each turn, straight at the server",
            command="keepwarm serve",
        )
    return _found(
        code="no-reuse",
        severity="bad",
        title="The same prompt a second time is processed again: the server keeps no prefix cache.",
        tokens=TYPICAL_PROMPT,
        strikes="each turn",
        detail="" if name in _REUSE else "Look for the flag of this server that switches prefix caching on.",
        command=_REUSE.get(name, ""),
    )


def _reports(probe: Probe, name: str) -> Finding:
    if probe.reports:
        return _fine(code="reports", title="It reports how much of a prompt was reused.")
    return _found(
        code="reports-nothing",
        severity="warn",
        title="It does not report how much of a prompt was reused.",
        detail="keepwarm then shows '-' and never 0; a verdict rests on times.",
        command=_REPORT.get(name, ""),
    )


def _changes(probe: Probe) -> list[Finding]:
    """What another billing line, or another head, costs: where the server counts it."""
    found: list[Finding] = []
    for step, kept, lost in _CHANGES:
        one = probe.step(step)
        if one is None or one.cached is None or not one.prompt:
            continue
        finding = kept if one.cached >= _REUSED * one.prompt else lost
        title = finding.title.format(kept=one.cached, lost=one.prompt - one.cached, prompt=one.prompt)
        found.append(replace(finding, title=title))
    return found


def reuses(cold: Measured, again: Measured) -> bool | None:
    """Whether `again` reused what `cold` left; None where neither counts nor times tell."""
    if again.cached is not None and again.prompt:
        return again.cached >= _REUSED * again.prompt
    return True if _quicker(cold, again) else None


def _quicker(cold: Measured, again: Measured) -> bool:
    return cold.whole_ms - again.whole_ms > _SHORTEST_MS and cold.whole_ms > _FAR_QUICKER * again.whole_ms


def _messages(head: str, text: str, model: str) -> Outgoing:
    body = {
        "model": model or "local",
        "system": [{"type": "text", "text": head}, {"type": "text", "text": text}],
        "messages": [{"role": "user", "content": "Say yes."}],
        "max_tokens": 1,
    }
    headers = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
    return Outgoing("/v1/messages", msgspec.json.encode(body), headers)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
