"""What a chat template does to a conversation, asked of the server without a token being generated.

Four small conversations with words that are looked for in the prompt they make: llama.cpp shows it (`/apply-template`),
vLLM tells its tokens and their text (`/tokenize`, `/detokenize`; 0.32). Other servers do not render a prompt for
whoever asks, and then nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal, TypeAlias

import msgspec

from keepwarm.checks.finding import TYPICAL_PROMPT, Finding
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream.api import Outgoing
from keepwarm.upstream.llamacpp import prompt_of, render

Where: TypeAlias = Literal["in place", "moved", "dropped", "refused", ""]
"""What becomes of a system message between the turns; "" is unknown."""
Stand: TypeAlias = Literal["before", "behind", "nowhere", ""]
"""Where the tools stand: before or behind the system text."""

_SYSTEM, _TOOL, _THOUGHT, _INLINE = "sysmark-alder", "toolmark_birch", "thoughtmark-cedar", "inlinemark-elm"
_JSON: Final = (("content-type", "application/json"),)
_OTHER: Final = "llama-server ... --jinja --chat-template-file TEMPLATE"
_FIRST, _LAST = "firstmark-fir", "lastmark-gorse"


_found = partial(Finding, area="template")
_fine = partial(_found, severity="ok")
_inline = partial(
    _found,
    severity="warn",
    detail="keepwarm sends the same words at their place as a reminder in the user's turn.",
    command="keepwarm serve",
)
_BETWEEN: Final = "A system message between the turns"
_UNKNOWN: Final = _found(
    code="template-unknown",
    severity="info",
    title="The server does not render a prompt for whoever asks: its template was not looked at.",
)
_TOOLS: Final[dict[str, Finding]] = {
    "before": _fine(
        code="tools", title="Tools stand before the system text: a tool that changes costs the whole prompt."
    ),
    "behind": _fine(
        code="tools", title="Tools stand behind the system text: a tool that changes costs all but that text."
    ),
    "nowhere": _found(
        code="tools-nowhere",
        severity="bad",
        title="The template prints no tools: the model does not know that it may call any.",
        detail="Take a template that prints tools: llama.cpp has some under models/templates.",
        command=_OTHER,
    ),
}
_INLINES: Final[dict[str, Finding]] = {
    "in place": _fine(code="inline", title=f"{_BETWEEN} stays where it was said."),
    "moved": _inline(
        code="inline-moved",
        title=f"{_BETWEEN} is moved to the head of the prompt (ROL001).",
        tokens=TYPICAL_PROMPT,
        strikes="each such message",
    ),
    "dropped": _inline(code="inline-dropped", title=f"{_BETWEEN} is left out of the prompt (ROL001)."),
    "refused": _inline(code="inline-refused", title=f"{_BETWEEN} is refused: Claude Code 2.1.328 sends such (ROL001)."),
}


class Template(msgspec.Struct, frozen=True):
    """What was found out; None and "" where nothing tells."""

    tools: Stand = ""
    drops_thinking: bool | None = None
    keeps_when_asked: bool | None = None
    """Whether `preserve_thinking` or `clear_thinking: false` keeps the thinking."""
    inline: Where = ""
    clock: bool | None = None
    """Whether it may print the date or the time."""
    clock_fixed: bool | None = None
    """Whether `date_string` settles what it prints."""


def questions(model: str = "") -> dict[str, Outgoing]:
    """What is rendered, by name.

    model  vLLM's name for its model; "" = llama.cpp is asked
    """
    asked: dict[str, dict[str, Any]] = {
        "tools": {"messages": [_said("system", _SYSTEM), _said("user", _FIRST)], "tools": [_tool()]},
        "thinking": {"messages": _thought()},
        "preserved": {
            "messages": _thought(),
            "chat_template_kwargs": {"preserve_thinking": True, "clear_thinking": False},
        },
        "inline": {
            "messages": [
                _said("system", _SYSTEM),
                _said("user", _FIRST),
                _said("assistant", "Yes."),
                _said("system", _INLINE),
                _said("user", _LAST),
            ]
        },
    }
    if model:
        return {
            name: Outgoing("/tokenize", msgspec.json.encode(body | {"model": model}), _JSON)
            for name, body in asked.items()
        }
    return {name: render(Outgoing("", msgspec.json.encode(body), _JSON)) for name, body in asked.items()}


def detokenize(model: str, tokenized: bytes) -> Outgoing | None:
    """vLLM's second question: the text of a prompt, from its answer to the first; None where that holds no tokens."""
    try:
        tokens = msgspec.json.decode(tokenized, type=_Tokenized).tokens
    except UNREADABLE:
        return None
    return Outgoing("/detokenize", msgspec.json.encode({"model": model, "tokens": tokens}), _JSON)


class _Tokenized(msgspec.Struct, frozen=True):
    tokens: list[int]


def read_template(text: str, answers: Mapping[str, tuple[int, bytes]]) -> Template:
    """What the template does.

    text     the template's own text; "" where the server does not tell it
    answers  to `questions`, each (status, body)
    """
    prompts = {name: prompt_of(body) for name, (status, body) in answers.items() if status == 200}
    refused = {name for name, (status, _) in answers.items() if 400 <= status < 600 and status not in (404, 405, 501)}
    dropped = _THOUGHT not in prompts["thinking"] if prompts.get("thinking") else None
    kept = _THOUGHT in prompts["preserved"] if prompts.get("preserved") else None
    return Template(
        tools=_stand(prompts.get("tools", "")),
        drops_thinking=dropped,
        keeps_when_asked=kept if dropped else None,
        inline="refused" if "inline" in refused and "tools" not in refused else _where(prompts.get("inline", "")),
        clock="strftime_now" in text if text else None,
        clock_fixed="date_string" in text if "strftime_now" in text else None,
    )


def judge_template(facts: Template) -> list[Finding]:
    """Findings about the template."""
    found = (_TOOLS.get(facts.tools), _thinking(facts), _INLINES.get(facts.inline), _clock(facts))
    return [one for one in found if one is not None] or [_UNKNOWN]


def _thinking(facts: Template) -> Finding | None:
    if facts.drops_thinking is None:
        return None
    if not facts.drops_thinking:
        return _fine(code="thinking-kept", title="It keeps the thinking of earlier turns.")
    mended = bool(facts.keeps_when_asked)
    return _found(
        code="thinking-dropped",
        severity="warn",
        title="It drops the thinking of earlier turns when the user speaks again (HIS002).",
        detail="keepwarm asks the template to keep it, and this one does."
        if mended
        else "It has no switch for that: all since the user's last word is processed again. Take one that keeps it.",
        tokens=TYPICAL_PROMPT // 4,
        strikes="each message of the user",
        command="keepwarm serve" if mended else _OTHER,
    )


def _clock(facts: Template) -> Finding | None:
    if facts.clock is None:
        return None
    if not facts.clock:
        return _fine(code="no-clock", title="It prints no date and no time.")
    fixed = '--chat-template-kwargs \'{"date_string":"01 Jan 2026"}\''
    return _found(
        code="clock",
        severity="warn",
        title="It prints the date by its own clock: when the day ends, or the hour, every prompt is new.",
        detail="The server's template does that, behind every gateway's back."
        + (" `date_string` settles it." if facts.clock_fixed else " Take one without strftime_now."),
        tokens=TYPICAL_PROMPT,
        strikes="each new day, for every conversation",
        command=f"llama-server ... {fixed}" if facts.clock_fixed else _OTHER,
    )


def _stand(prompt: str) -> Stand:
    if _SYSTEM not in prompt:
        return ""
    if _TOOL not in prompt:
        return "nowhere"
    return "before" if prompt.index(_TOOL) < prompt.index(_SYSTEM) else "behind"


def _where(prompt: str) -> Where:
    if _FIRST not in prompt or _LAST not in prompt:
        return ""
    if _INLINE not in prompt:
        return "dropped"
    return "in place" if prompt.index(_FIRST) < prompt.index(_INLINE) < prompt.index(_LAST) else "moved"


def _said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def _thought() -> list[dict[str, Any]]:
    # vLLM's /tokenize reads the newer of the two names only.
    answer = _said("assistant", "Yes.") | {"reasoning_content": _THOUGHT, "reasoning": _THOUGHT}
    return [_said("system", _SYSTEM), _said("user", _FIRST), answer, _said("user", _LAST)]


def _tool() -> dict[str, Any]:
    function = {"name": _TOOL, "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
    return {"type": "function", "function": function}


UNASKED: Final = Template()
"""What is known of a server that was not asked."""
