"""One line of text for each progress event, for terminals, clients and reports."""

from typing import Any

from fusion_tool.events import format_seconds, one_line


def describe(event: Any) -> str | None:  # noqa: C901, PLR0911 - one line an event
    """Return the event in one line, `None` for an event that is not worth a line."""
    match event["type"]:
        case "plan.chosen":
            return _event_line(f"{event['reason']}: {', '.join(event['seats'])}")
        case "wave.started" if event["wave"] > 1:
            return _event_line(f"wave {event['wave']}: {', '.join(event['seats'])}")
        case "panelist.started":
            return _event_line(f"{event['seat']}: asked")
        case "trial.started":
            return _event_line(f"{event['model']} is tried, which is done once")
        case "trial.completed":
            return _event_line(f"{event['model']}: {trial_outcome(event)}")
        case "panelist.tool":
            return _event_line(f"{event['seat']}: {event['tool']} {event['query'][:80]!r}, {tool_outcome(event)}")
        case "panelist.answered":
            return _event_line(f"{event['seat']}: answered in {format_seconds(event['seconds'])}{signed_by(event)}")
        case "panelist.failed":
            return _event_line(f"{event['seat']}: failed, {event['reason']}: {event['message']}")
        case "panel.closed":
            return f"the panel has closed: {event['answered']} answered, {event['failed']} failed"
        case "judge.completed":
            if event["consensus"] is None:
                return "the answers could not be compared"
            return _event_line(f"the answers are compared{signed_by(event)}")
        case "verification.completed":
            counts = (f"{event[name]} {label}" for name, label in READER_COUNTS.items() if event[name])
            return _event_line(f"citations verified: {', '.join(counts) or 'none'}{signed_by(event)}")
    return None


READER_COUNTS = {
    "supports": "carried",
    "contradicts": "contradicted",
    "says_nothing": "unmentioned",
    "unread": "unread",
}
"""By the event's field, what a second reader's verdicts are called for people."""


def signed_by(event: Any) -> str:
    """Return whose work an event tells, as the end of a line; empty where it does not say, as older ones do not."""
    return f" ({event['model']})" if event.get("model") else ""


def trial_outcome(event: Any) -> str:
    """Return what came of a model's trial in a few words."""
    if event["failure"]:
        return f"not tried, {event['failure']}; asked for {event['path']}"
    tools, cites = (
        "calls tools" if event["calls_tools"] else "calls no tools",
        "cites" if event["cites"] else "cites nothing",
    )
    return f"{tools}, {cites}; asked for {event['path']}"


def tool_outcome(event: Any) -> str:
    """Return what came of a seat's use of a tool in a few words; older events do not say whether it failed."""
    return f"failed, {event['failure']}" if event.get("failure") else f"{event['found']} found"


def _event_line(text: str) -> str:
    # What models and pages say must not end a comment of a server's stream and begin an event.
    return "".join(char for char in one_line(text) if char.isprintable())
