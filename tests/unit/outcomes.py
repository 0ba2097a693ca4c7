"""Outcomes of calls that have just ended."""

import time
from typing import Any

from fusion_tool.models.outcomes import Outcome


def outcome(model: str, reason: Any = None, **fields: Any) -> Outcome:
    """A call of one second, of which nothing else is known but `fields`."""
    unknown = dict.fromkeys(("first_token_seconds", "cost_usd", "input_tokens", "output_tokens"))
    return Outcome(**{"model": model, "reason": reason, "seconds": 1.0, "at": time.time(), **unknown, **fields})
