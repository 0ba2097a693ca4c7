"""The table of events, from the typed dicts of `fusion_tool.events`."""

import inspect
from typing import Any, Literal, get_args, get_origin, get_type_hints

from fusion_tool import events
from tests.contracts.pages.markdown import table

KINDS = get_args(events.Event)


def name_of(kind: type) -> str:
    """An event's `type`."""
    (name,) = get_args(get_type_hints(kind)["type"])
    return str(name)


def fields_of(kind: type) -> dict[str, Any]:
    """An event's own fields: all but `type` and what every event has."""
    common = get_type_hints(events.EventStamp)
    return {name: hint for name, hint in get_type_hints(kind).items() if name not in {"type", *common}}


def events_table() -> str:
    """One row an event, in the order of a run."""
    rows = [(f"`{name_of(kind)}`", " ".join(str(inspect.getdoc(kind)).split()), _fields(kind)) for kind in KINDS]
    return table(("type", "when", "fields"), rows)


def _fields(kind: type) -> str:
    return ", ".join(f"`{name}`: {_words(hint)}" for name, hint in fields_of(kind).items())


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(hint))
    shown = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return shown.replace("typing.", "").replace(" | ", " or ")
