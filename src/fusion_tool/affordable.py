"""Whether a run can begin at all under its limits, asked before the first call."""

from collections.abc import Iterable

from fusion_tool.budget import TOOLS_BYTES, least_call, shares
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.errors import BudgetExceeded, ConfigError
from fusion_tool.pricing import is_priced

_PROMPT_BYTES = 2000
"""A seat's own instructions, from above."""


def check_limits(config: FusionConfig, roles: Iterable[tuple[str, Panelist]], question: str) -> None:
    """Refuse a run whose limits do not even let the panel's cheapest seats answer.

    Args:
        config: The run's configuration.
        roles: Every panelist that may be called, with the field that names it.
        question: The question, with its context.

    Raises:
        ConfigError: A dollar limit, and a model without a known price.
        BudgetExceeded: Not even `limits.min_answers` of the seats fit.
    """
    limits = config.limits
    if limits.usd is not None and not config.allow_unpriced:
        _refuse_unpriced(roles)
    tools = config.search is not None or config.documents is not None or config.bash != "off"
    size = _PROMPT_BYTES + len(question.encode(errors="replace"))
    if tools and config.max_tool_calls:
        size += TOOLS_BYTES
    seats = config.panel[:1] if config.strategy == "solo" else config.panel
    share = shares(config.strategy)["panelist"]
    for kind, limit in (("usd", limits.usd), ("tokens", limits.tokens)):
        least = sorted(
            min(getattr(least_call(name, size, seat.max_tokens), kind) for name in (seat.model_name, *seat.fallbacks))
            for seat in seats
        )
        needed = least[limits.min_answers - 1] * len(seats) / share  # each seat has its own part
        if limit is not None and needed > limit:
            raise BudgetExceeded(kind, needed, limit)


def _refuse_unpriced(roles: Iterable[tuple[str, Panelist]]) -> None:
    for field, panelist in roles:
        for name in (panelist.model_name, *panelist.fallbacks):
            if not is_priced(name):
                raise ConfigError(
                    f"'{name}' has no known price, so limits.usd cannot be kept; set allow_unpriced = true to run it",
                    field=f"{field}.model",
                )
