"""What the main model of `fusion-agent` thought, as a reasoning item that its client sends back.

Other reasoning items, such as those of another vendor's model, mean nothing here and are passed over.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_tool.models.replay import DETAILS, EXTRA, MARK

REASONING_ID = "rs"
"""How the ids of reasoning items begin, ours and others'."""
_OWN = "fusion-1."
"""How the `encrypted_content` of an item of our own begins."""
_KINDS: dict[str, type] = {"reasoning": str, "reasoning_content": str, DETAILS: list, MARK: str}


def write_reasoning(fields: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the `encrypted_content` of a reply's reasoning item; `None` where nothing was thought.

    Args:
        fields: What the model thought, as fields of a chat message.
        calls: The reply's calls, as OpenAI's objects of chat completions, with their extras.
    """
    extras = {call["id"]: call[EXTRA] for call in calls if EXTRA in call}
    if not fields and not extras:
        return None
    # Text as it is sent to clients of chat completions in the open: encoded for the field's sake, not hidden.
    return _OWN + base64.urlsafe_b64encode(json.dumps([dict(fields), extras]).encode()).decode()


def read_reasoning(item: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a chat message and the extras of its calls that a reasoning item holds.

    Args:
        item: The item as the client sent it; both are empty where it is none of ours, or was changed.
    """
    content = item.get("encrypted_content")
    if not isinstance(content, str) or not content.startswith(_OWN):
        return {}, {}
    try:
        fields, extras = json.loads(base64.urlsafe_b64decode(content.removeprefix(_OWN)))
        whole = {name: value for name, value in fields.items() if isinstance(value, _KINDS[name])}
        return whole, {call_id: extra for call_id, extra in extras.items() if isinstance(extra, dict)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, {}
