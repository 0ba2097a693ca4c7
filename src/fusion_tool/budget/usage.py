"""The bill: one row for each model call or paid search, and their sum. Unknown is `None`, never 0.

Impossible figures count as unknown: providers, and rows of older versions, report negative, infinite and boolean ones,
which would free a limit or break the JSON they are printed in.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from fusion_tool.config.base import MOST_TOKENS

CostSource: TypeAlias = Literal["provider", "list_price", "unpriced"]
"""Where a row's cost comes from: the provider's own figure, the published price list, or nowhere."""

StageName: TypeAlias = Literal["panelist", "judge", "synthesizer", "verifier", "trial"]
"""The parts of a run; `trial`: what one of the user's own models can do is tried at its first use, by any of them."""

_SEARCH = "search:"
_MOST_USD = 1e9
"""No call costs so much."""


def believe_count(figure: Any) -> int | None:
    """Return a provider's figure, a number or one as a string, as a count; `None` where it cannot be one."""
    number = _number(figure, MOST_TOKENS)
    return int(number) if number is not None and number == int(number) else None


def believe_usd(figure: Any) -> float | None:
    """Return a provider's figure, a number or one as a string, as US dollars; `None` where it cannot be."""
    return _number(figure, _MOST_USD)


def _number(figure: Any, most: float) -> float | None:
    if isinstance(figure, bool) or not isinstance(figure, int | float | str):  # in Python, `True` is an int
        return None
    try:
        number = float(figure)
    except (ValueError, OverflowError):
        return None
    return abs(number) if 0 <= number <= most else None  # `abs` makes -0.0, which would be printed with its sign, 0.0


Count: TypeAlias = Annotated[int | None, BeforeValidator(believe_count)]
Usd: TypeAlias = Annotated[float | None, BeforeValidator(believe_usd)]


def search_name(provider: str) -> str:
    """Return what stands in place of a model's name for searches at `provider`."""
    return f"{_SEARCH}{provider}"


def is_search(model: str) -> bool:
    """Tell whether `model` stands for a search, which has no tokens, rather than for a model."""
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
    def _unpriced_without_cost(cls, source: CostSource, info: ValidationInfo) -> CostSource:
        # `cost_usd` is validated first, as it is declared first: an impossible figure is `None` by now, and its source
        # would claim a price that is not there.
        return "unpriced" if info.data.get("cost_usd") is None else source

    @classmethod
    def for_search(cls, provider: str, seat: str | None) -> "Call":
        """Return the row of a search that is under way: its cost is not known yet."""
        return cls(stage="panelist", seat=seat, model=search_name(provider))

    def with_cost(self, reported: float | None, listed: float | None) -> "Call":
        """Return the row with its cost: the provider's own figure, else the list's, else unknown.

        Args:
            reported: US dollars by the provider's reply, `None` where it gave none.
            listed: US dollars by the price list, `None` where it has none.
        """
        said, listed = believe_usd(reported), believe_usd(listed)
        cost, source = (listed, "list_price") if said is None else (said, "provider")
        return self.model_copy(update={"cost_usd": cost, "cost_source": "unpriced" if cost is None else source})


class Usage(BaseModel):
    """The calls of a run and their sums.

    `cost_usd` (US dollars) sums the priced calls and is `None` where none is priced; `unpriced_calls` says how many the
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
        """Return the bill over `calls`, in their order."""
        rows = list(calls)
        return cls(
            calls=rows,
            input_tokens=sum_known(row.input_tokens for row in rows),
            output_tokens=sum_known(row.output_tokens for row in rows),
            cost_usd=sum_known(row.cost_usd for row in rows),
            unpriced_calls=sum(row.cost_usd is None for row in rows),
        )


def sum_known(values: "Iterable[int | None] | Iterable[float | None]") -> int | float | None:
    """Return the sum of what is known of `values`; `None` where nothing is."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers else None
