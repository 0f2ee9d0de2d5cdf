"""The chat templates the tests run on: four habits of real ones, in our own words.

    qwen_like      tools inside the system text; a new user turn drops earlier thinking, `preserve_thinking` keeps it
    tools_first    tools before the system text; thinking kept; knows content as a string only
    strict_system  "System message must be at the beginning." for a system message that is not the first; thinking kept
    dated          the day's date first of all, unless `date_string` is given; thinking kept

All are ChatML and all print tools, tool calls and tool results. Each is append-only in this sense, which the tests
check on the real engine: with the answer added, a conversation renders to its generation prompt, then what the model
generated.

Beware of two habits of llama.cpp itself. For a template that knows content as a string only it joins a list of text
parts with line breaks, while the other three print the parts with nothing in between. And it parses the arguments of
a tool call, so that every template prints `{"b":1.0,  "a":2}` as `{"b": 1, "a": 2}`.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

NAMES: Final = ("qwen_like", "tools_first", "strict_system", "dated")
"""Every template there is, in the order reports show them."""


def template_text(name: str) -> str:
    """The Jinja text of the template `name`, one of NAMES; KeyError for another name."""
    if name not in NAMES:
        raise KeyError(f"no chat template {name!r}: there are {', '.join(NAMES)}")
    return resources.files("keepwarm.testing").joinpath("templates", f"{name}.jinja").read_text(encoding="utf-8")
