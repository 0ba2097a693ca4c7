"""The bill: one row a model call or paid search, and their sum. Unknown is `None`, never 0."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

CostSource: TypeAlias = Literal["provider", "list_price", "unpriced"]
"""Where a row's cost comes from: the provider's own figure, the published price list, or nowhere."""

Stage: TypeAlias = Literal["panelist", "judge", "synthesizer"]


_SEARCH = "search:"


def search_at(provider: str) -> str:
    """The name under which searches at `provider` stand where models have theirs."""
    return f"{_SEARCH}{provider}"


def is_search(model: str) -> bool:
    """Whether `model` is no model but a search, which has no tokens."""
    return model.startswith(_SEARCH)


class Call(BaseModel):
    """One model call, or one search at a provider that charges for it: its `model` is `search:` and the provider.

    Tokens are counts, `cost_usd` is US dollars, `seconds` is wall time; each is `None` where unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    seat: str | None
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: CostSource = "unpriced"
    seconds: float | None = None

    @classmethod
    def of_search(cls, provider: str, seat: str | None) -> "Call":
        """The row of a search that is under way: what it costs is not known yet."""
        return cls(stage="panelist", seat=seat, model=search_at(provider))

    def priced(self, told: float | None, listed: float | None) -> "Call":
        """The same with its cost: what the provider told, else what its list says, else unknown."""
        cost, source = (listed, "list_price") if told is None else (told, "provider")
        return self.model_copy(update={"cost_usd": cost, "cost_source": "unpriced" if cost is None else source})


class Usage(BaseModel):
    """All calls of a run and their sums.

    `cost_usd` sums the priced calls and is `None` where none is priced; `unpriced_calls` says how many the
    sum leaves out. The token sums follow the same rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: list[Call]
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    unpriced_calls: int

    @classmethod
    def of(cls, calls: Iterable[Call]) -> "Usage":
        """The bill over `calls`, in the order given."""
        rows = list(calls)
        return cls(
            calls=rows,
            input_tokens=_sum(row.input_tokens for row in rows),
            output_tokens=_sum(row.output_tokens for row in rows),
            cost_usd=_sum(row.cost_usd for row in rows),
            unpriced_calls=sum(row.cost_usd is None for row in rows),
        )


def _sum(values: "Iterable[int | None] | Iterable[float | None]") -> int | float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
