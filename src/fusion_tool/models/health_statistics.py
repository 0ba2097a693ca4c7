"""What the outcomes of calls say of each model, as figures."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fusion_tool.errors import Reason
from fusion_tool.models.outcomes import INTERRUPTED, Outcome


@dataclass(frozen=True)
class ModelHealth:
    """The statistics of one model. Whether others agreed with it is not in here: a dissenter may be right.

    Args:
        model: Its `fusion_tool.models.outcomes.health_key`.
        calls: Number of calls.
        answered: Calls that gave a usable answer.
        cut: Calls that were broken off, being late or no longer needed: neither answered nor failed.
        failed: The other calls, by reason.
        first_token_p50: Median seconds until the answer began, where known; `None` where it never is.
        first_token_p90: Seconds within which nine of ten answers began; `None` likewise.
        seconds_p50: Median seconds of the answered calls, retries included; `None` without any.
        cost_usd: US dollars of the calls whose cost is known; `None` where none is.
        unpriced: Answered calls that the sum leaves out.
        input_tokens: Sum of the known prompt tokens; `None` where none is known.
        output_tokens: Sum of the known answer tokens; `None` likewise.
    """

    model: str
    calls: int
    answered: int
    cut: int
    failed: Mapping[Reason, int]
    first_token_p50: float | None
    first_token_p90: float | None
    seconds_p50: float | None
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None

    @property
    def answered_share(self) -> float | None:
        """Share (0 to 1) of answered calls among those that were not broken off; `None` without any."""
        finished = self.calls - self.cut
        return self.answered / finished if finished else None


def summarize_outcomes(outcomes: Iterable[Outcome]) -> list[ModelHealth]:
    """Sum up `outcomes` in a row for each model, the most called first."""
    by_model: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_model[outcome.model].append(outcome)
    rows = [_row(model, calls) for model, calls in by_model.items()]
    return sorted(rows, key=lambda row: (-row.calls, row.model))


def _row(model: str, calls: Sequence[Outcome]) -> ModelHealth:
    answers = [call for call in calls if call.reason is None]
    reasons = Counter(call.reason for call in calls if call.reason is not None)
    first = [call.first_token_seconds for call in calls if call.first_token_seconds is not None]
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return ModelHealth(
        model=model,
        calls=len(calls),
        answered=len(answers),
        cut=sum(reasons[reason] for reason in INTERRUPTED),
        failed={reason: count for reason, count in reasons.most_common() if reason not in INTERRUPTED},
        first_token_p50=quantile(first, 0.5),
        first_token_p90=quantile(first, 0.9),
        seconds_p50=quantile([call.seconds for call in answers], 0.5),
        cost_usd=math.fsum(costs) if costs else None,
        unpriced=sum(call.cost_usd is None for call in answers),
        input_tokens=_total(call.input_tokens for call in calls),
        output_tokens=_total(call.output_tokens for call in calls),
    )


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest of `values` that `share` (0 to 1) of them do not exceed, the nearest rank; `None` of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _total(counts: Iterable[int | None]) -> int | None:
    numbers = [count for count in counts if count is not None]
    return sum(numbers) if numbers else None
