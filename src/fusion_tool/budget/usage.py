"""The bill: one row a model call or paid search, and their sum. Unknown is `None`, never 0.

So is what cannot be: providers, and rows of older versions, hold negative, infinite and boolean figures, which would
free a limit or break the JSON they are printed in.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

CostSource: TypeAlias = Literal["provider", "list_price", "unpriced"]
"""Where a row's cost comes from: the provider's own figure, the published price list, or nowhere."""

StageName: TypeAlias = Literal["panelist", "judge", "synthesizer"]


_SEARCH = "search:"
_MOST_TOKENS = 2**53
"""Where JSON's readers no longer agree on what a number is; nothing has so many tokens, or costs so much."""
_MOST_USD = 1e9


def believe_count(told: Any) -> int | None:
    """The count that `told` is, a number or one as a string; `None` where it can be none."""
    number = _number(told, _MOST_TOKENS)
    return int(number) if number is not None and number == int(number) else None


def believe_usd(told: Any) -> float | None:
    """The US dollars that `told` are, a number or one as a string; `None` where they can be none."""
    return _number(told, _MOST_USD)


def _number(told: Any, most: float) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        number = float(told)
    except (ValueError, OverflowError):
        return None
    return abs(number) if 0 <= number <= most else None  # -0.0 is 0


Count: TypeAlias = Annotated[int | None, BeforeValidator(believe_count)]
Usd: TypeAlias = Annotated[float | None, BeforeValidator(believe_usd)]


def search_name(provider: str) -> str:
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

    stage: StageName
    seat: str | None
    model: str
    input_tokens: Count = None
    output_tokens: Count = None
    cached_tokens: Count = None
    cost_usd: Usd = None
    cost_source: CostSource = "unpriced"
    seconds: float | None = None

    @field_validator("cost_source")
    @classmethod
    def _no_source_of_nothing(cls, source: CostSource, info: ValidationInfo) -> CostSource:
        return "unpriced" if info.data.get("cost_usd") is None else source

    @classmethod
    def for_search(cls, provider: str, seat: str | None) -> "Call":
        """The row of a search that is under way: what it costs is not known yet."""
        return cls(stage="panelist", seat=seat, model=search_name(provider))

    def with_cost(self, reported: float | None, listed: float | None) -> "Call":
        """The same with its cost: what the provider told, else what its list says, else unknown."""
        cost, source = (listed, "list_price") if believe_usd(reported) is None else (reported, "provider")
        return Call.model_validate({**self.model_dump(), "cost_usd": cost, "cost_source": source})


class Usage(BaseModel):
    """All calls of a run and their sums.

    `cost_usd` sums the priced calls and is `None` where none is priced; `unpriced_calls` says how many the
    sum leaves out. The token sums follow the same rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: list[Call]
    input_tokens: Count
    output_tokens: Count
    cost_usd: Usd
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
