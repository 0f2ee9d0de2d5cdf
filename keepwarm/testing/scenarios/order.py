"""Injections into what stands at the head in some order: tools, their schemas; and the parameters of a request."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.testing.scenarios.injection import Moment
from keepwarm.testing.scenarios.view import Json, Tool, View

_LATE = Tool(
    "Issues__find",
    "Find what was reported: the tracker that this tool asks has started late.",
    {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "number"}},
        "required": ["query"],
    },
)


def reordered_each(view: View, moment: Moment) -> View:
    """The tools in another order with each request."""
    turns = 1 + moment.dice().randrange(max(1, len(view.tools) - 1)) if moment.step else 0
    return replace(view, tools=view.tools[turns:] + view.tools[:turns])


def reordered_once(view: View, moment: Moment) -> View:
    """The two last tools change places in the middle of the conversation."""
    if not moment.changed or len(view.tools) < 2:
        return view
    *rest, first, second = view.tools
    return replace(view, tools=(*rest, second, first))


def added(view: View, moment: Moment) -> View:
    """A tool that comes late, in its alphabetical place."""
    if not moment.changed or not view.tools:
        return view
    return replace(view, tools=tuple(sorted((*view.tools, _LATE), key=lambda tool: tool.name)))


def removed(view: View, moment: Moment) -> View:
    """The last tool of the alphabet is offered no more."""
    if not moment.changed or not view.tools:
        return view
    return replace(view, tools=tuple(tool for tool in view.tools if tool.name != _last(view)))


def reworded(view: View, moment: Moment) -> View:
    """The last tool of the alphabet says something else of itself."""
    if not moment.changed or not view.tools:
        return view

    def reword(tool: Tool) -> Tool:
        said = f"{tool.description} It is slow today."
        return replace(tool, description=said) if tool.name == _last(view) else tool

    return replace(view, tools=tuple(map(reword, view.tools)))


def _last(view: View) -> str:
    return max(tool.name for tool in view.tools)


def schema_keys(view: View, moment: Moment) -> View:
    """The keys of the tools' schemas come in another order with each request, and never again in the first one."""
    if not moment.step:
        return view
    turned = bool(moment.step % 2)
    return replace(view, tools=tuple(replace(tool, schema=_sorted(tool.schema, turned)) for tool in view.tools))


def _sorted(schema: Json, backwards: bool) -> Json:
    return {
        key: _sorted(value, backwards) if isinstance(value, dict) else value
        for key, value in sorted(schema.items(), reverse=backwards)
    }


def model_switched(view: View, moment: Moment) -> View:
    """Another model is asked from the middle on."""
    return replace(view, model="other-model") if moment.changed else view
