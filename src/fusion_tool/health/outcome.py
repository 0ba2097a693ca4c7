"""How one call of a model went, as it is remembered. What the model said, and whether others agreed, is not."""

import time
from typing import NamedTuple
from urllib.parse import urlsplit

from fusion_tool.errors import Reason
from fusion_tool.panelist import Panelist

SPEAK_AGAINST: frozenset[Reason] = frozenset(
    {"rate_limited", "timeout", "upstream_error", "model_unavailable", "empty"}
)
"""The reasons that let expect the next call to fail, too.

The others are about the question (`refused`, `context_overflow`), the settings (`truncated`), the account (`auth`,
`budget`: whoever mends his key wants his model back at once), or nobody's doing (`cancelled`, `straggler`).
"""

CUT: frozenset[Reason] = frozenset({"cancelled", "straggler"})
"""The reasons of calls that were broken off: neither answered nor failed."""


class Outcome(NamedTuple):
    """One call.

    Args:
        model: As `name_of` names it.
        reason: Why it gave no usable answer; `None` where it gave one.
        seconds: From its beginning to its end, retries included.
        first_token_seconds: Until the first piece of the answer, `None` where unknown.
        cost_usd: US dollars, `None` where unknown.
        input_tokens: Of the prompt, `None` where unknown.
        output_tokens: Of the answer, likewise.
        at: When it ended, Unix time.
    """

    model: str
    reason: Reason | None
    seconds: float
    first_token_seconds: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    at: float

    @classmethod
    def now(  # noqa: PLR0913 - one for each column
        cls,
        model: str,
        reason: Reason | None,
        *,
        seconds: float,
        first_token_seconds: float | None = None,
        cost_usd: float | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> "Outcome":
        """The outcome of a call that has just ended."""
        return cls(model, reason, seconds, first_token_seconds, cost_usd, input_tokens, output_tokens, time.time())


def name_of(panelist: Panelist) -> str | None:
    """The name under which a panelist's calls are remembered: its model's, with the endpoint where it has its own.

    `None` for a model that was given as an object: where that is reached, only the object knows.
    """
    if not isinstance(panelist.model, str):
        return None
    return f"{panelist.model} at {urlsplit(panelist.base_url).netloc}" if panelist.base_url else panelist.model
