"""A run's events as lines for whoever waits."""

from typing import Any

_LONGEST = 200


def told(event: Any) -> str | None:  # noqa: PLR0911 - one line an event
    """The event in one line, `None` where there is nothing to say."""
    match event["type"]:
        case "plan.chosen":
            return _line(f"{event['reason']}: {', '.join(event['seats'])}")
        case "wave.started" if event["wave"] > 1:
            return _line(f"wave {event['wave']}: {', '.join(event['seats'])}")
        case "panelist.started":
            return _line(f"{event['seat']}: asked")
        case "panelist.tool":
            return _line(f"{event['seat']}: {event['tool']} {event['query'][:80]!r}, {event['found']} found")
        case "panelist.answered":
            return _line(f"{event['seat']}: answered in {event['seconds']:.1f} s")
        case "panelist.failed":
            return _line(f"{event['seat']}: failed, {event['reason']}: {event['message']}")
        case "panel.closed":
            return f"the panel has closed: {event['answered']} answered, {event['failed']} failed"
        case "judge.completed":
            return "the answers are compared"
    return None


def _line(text: str) -> str:
    """One line: what models and pages say must not end a comment of the stream and begin an event."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())[:_LONGEST]
