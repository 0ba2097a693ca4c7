"""Whether a run can begin at all under its limits, checked before the first call."""

import math
from collections.abc import Sequence

from fusion_tool.budget.ledger import TOOLS_BYTES, Ledger, minimal_call
from fusion_tool.budget.pricing import is_priced, price_name, similar_model
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import BudgetExceeded, ConfigError

_PROMPT_BYTES = 2000
"""An upper bound of a seat's own instructions."""


def check_limits(
    config: FusionConfig,
    roles: Sequence[tuple[str, Panelist]],
    question: str,
    *,
    parts: float,
    session: Ledger | None = None,
) -> None:
    """Refuse a run whose limits do not even let the panel's cheapest seats answer.

    Args:
        config: The run's configuration.
        roles: Every panelist that may be called, with the field that names it.
        question: The question, with its context.
        parts: Number of equal parts that the limits are divided into; a seat may spend one of them.
        session: The ledger of the session that the run is part of, `None` for none.

    Raises:
        ConfigError: A dollar limit, and a model without a known price.
        BudgetExceeded: Not even `limits.min_answers` of the seats fit.
    """
    run_limits = {"usd": config.limits.usd, "tokens": config.limits.tokens}
    if not config.allow_unpriced:
        require_priced(roles, _usd_limit_name(run_limits["usd"], session))
    seats = [panelist for field, panelist in roles if field.startswith("panel.")]
    needed = _minimal_spending(config, seats, question, parts)
    for kind, limit in run_limits.items():
        if limit is not None and needed[kind] > limit:
            raise BudgetExceeded(kind, needed[kind], limit)
        if session and needed[kind] > (left := session.remaining(kind)):
            # Below 0 where a provider billed more than was reserved; "-0.01 is left" would read like a fault of ours.
            raise BudgetExceeded(kind, needed[kind], max(left, 0.0), limits="session_limits")


def _minimal_spending(config: FusionConfig, seats: Sequence[Panelist], question: str, parts: float) -> dict[str, float]:
    """Return what `limits.min_answers` of the seats need at least, if each may take one of `parts` of the limits."""
    size = _PROMPT_BYTES + len(question.encode(errors="replace"))
    if config.has_tools and config.max_tool_calls:
        size += TOOLS_BYTES
    # A seat may spend no more than its own part, so the limits must be `parts` times what one seat needs. Of the
    # `min_answers` cheapest seats the dearest decides: where its part suffices, so do the parts of the others.
    needed = {}
    for kind in ("usd", "tokens"):
        least = sorted(  # a fallback answers as well as its seat's model: the cheapest of them is what a seat needs
            min(getattr(minimal_call(name, size, seat.max_tokens), kind) for name in (seat.model_name, *seat.fallbacks))
            for seat in seats
        )
        needed[kind] = least[min(config.limits.min_answers, len(seats)) - 1] * parts
    return needed


def _usd_limit_name(run_limit: float | None, session: Ledger | None) -> str | None:
    """Return the name of the dollar limit that holds, the run's own first; `None` where there is none."""
    if run_limit is not None:
        return "limits.usd"
    return "session_limits.usd" if session and session.remaining("usd") < math.inf else None


def require_priced(roles: Sequence[tuple[str, Panelist]], limit: str | None) -> None:
    """Refuse models without a known price.

    Args:
        roles: Every panelist that may be called, with the field that names it.
        limit: The dollar limit that they could pass unseen; `None` for none, and nobody is refused.

    Raises:
        ConfigError: One has none; `field` names it.
    """
    # Fallbacks included: an unpriced call reserves 0 dollars, so that one of them could pass the limit unseen.
    for field, panelist in roles if limit else ():
        for name in (price_name(panelist), *panelist.fallbacks):
            if not is_priced(name):
                raise ConfigError(
                    f"'{name}' has no known price{similar_model(name)}, so {limit} cannot be kept; "
                    "set allow_unpriced = true to run it",
                    field=f"{field}.model",
                )
