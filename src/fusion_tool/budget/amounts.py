"""A bill in advance, as values: amounts and rows, the assumptions about tokens, how often each role is called."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from fusion_tool.budget.usage import StageName
from fusion_tool.config.schema import Limits


class Amount(BaseModel):
    """Tokens and dollars; `usd` is `None` where no price is known."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0

    @classmethod
    def total(cls, amounts: Iterable["Amount"]) -> "Amount":
        """Sum `amounts`: all tokens, and the dollars of those that are priced (`None` where none is)."""
        rows = list(amounts)
        prices = [row.usd for row in rows if row.usd is not None]
        return cls(
            input_tokens=sum(row.input_tokens for row in rows),
            output_tokens=sum(row.output_tokens for row in rows),
            usd=sum(prices) if prices else None,
        )

    def scaled(self, factor: float) -> "Amount":
        """Return the amount of `factor` such calls, which may be a fraction: a call made every third time is 1/3."""
        return Amount(
            input_tokens=round(self.input_tokens * factor),
            output_tokens=round(self.output_tokens * factor),
            usd=None if self.usd is None else self.usd * factor,
        )

    def capped(self, limits: Limits, share: float) -> "Amount":
        """Return the amount, or what the limits leave for this share of a run where that is less.

        Args:
            limits: The run's limits; those that are `None` cap nothing.
            share: Part of the run's limits, 0 to 1.
        """
        room = math.inf if limits.tokens is None else limits.tokens * share
        # The limit holds for prompt and answer together; how they would divide it is unknown, so each is capped alone.
        return Amount(
            input_tokens=int(min(self.input_tokens, room)),
            output_tokens=int(min(self.output_tokens, room)),
            usd=self.usd if limits.usd is None or self.usd is None else min(self.usd, limits.usd * share),
        )


class EstimateRow(BaseModel):
    """The expected and the largest cost of one seat, the judge, the synthesizer, or all searches at a provider."""

    model_config = ConfigDict(frozen=True)

    stage: StageName
    seat: str | None
    model: str
    expected: Amount
    worst: Amount


class Alternative(BaseModel):
    """One model asked alone with the same tools; `ratio` is the run's expected dollars divided by the model's.

    Fees of searches are on neither side.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    expected: Amount
    ratio: float | None


class Counterpart(BaseModel):
    """The bill of the same run with the models of the preset of the other kind, current or as published."""

    model_config = ConfigDict(frozen=True)

    preset: str
    expected: Amount
    worst: Amount


class Estimate(BaseModel):
    """A run's bill in advance.

    Sums count the priced models alone; `unpriced` names the others. `counterpart` is `None` where the models are no
    preset's that has one. `seconds` is how long models on the user's own machines will work, `None` where none does or
    none was measured, `late` why the deadlines that are set will not do. `refused` says why the run would not begin,
    `assumptions` what the figures rest on.
    """

    model_config = ConfigDict(frozen=True)

    rows: list[EstimateRow]
    expected: Amount
    worst: Amount
    unpriced: list[str]
    versus: list[Alternative]
    counterpart: Counterpart | None
    seconds: float | None
    late: str | None
    refused: str | None
    assumptions: list[str]


BYTES_A_TOKEN = 4
"""Bytes of prompt for each token: the common rule of thumb for English."""
ANSWER_TOKENS = 2000
"""A seat's answer or the final one. A page and a half of text has about 1,000; reasoning is billed as output too."""
ANALYSIS_TOKENS = 2000
"""The judge's comparison; likewise half of it is reasoning."""
TURN_TOKENS = 300
"""What a model writes to call one tool: short reasoning and the call."""
EXTRA_TURNS = 3
"""Model calls that a seat may make beyond its tool calls: for malformed calls, and for the answer itself."""
RESULT_TOKENS = 2500
"""What one tool call adds to the prompts after it: between six search results (about 1,000) and a page (4,000)."""

FLAGS_TOKENS = 250
"""Two flagged sentences of an answer with the words of their sources."""
CITATIONS = 15
"""Citations of an answer."""
READ_TOKENS, WRITTEN_TOKENS = 250, 10
"""What a second reader reads and writes for one of them."""


class CallCount(NamedTuple):
    """The number of calls of a model in a run: on average, and at most."""

    expected: float
    maximum: int


class ExpectedCalls(NamedTuple):
    """The numbers of calls of each seat, in the panel's order, of the judge and of the synthesizer."""

    seats: list[CallCount]
    judge: CallCount
    synthesizer: CallCount


def sum_known(costs: Sequence[float | None]) -> float | None:
    """Return the sum in US dollars; `None` where one of them is unknown."""
    # Not a partial sum, as in `Amount.total`: plans are compared by this, and the unpriced ones would look cheapest.
    prices = [cost for cost in costs if cost is not None]
    return sum(prices) if len(prices) == len(costs) else None
