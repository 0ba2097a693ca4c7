"""`Profile`: what is known of one model."""

import re
from collections.abc import Mapping
from datetime import date as Date  # noqa: N812 - a field below is named date
from typing import Annotated

from pydantic import Field

from fusion_tool.routing.signals import Domain
from fusion_tool.validation import Settings

_Text = Annotated[str, Field(min_length=1)]
_PROVIDER = re.compile(r"[^/:]+:")
"""What stands before the first colon, unless a slash comes first: then the colon begins a variant."""


class Score(Settings):
    """One result of a model on a benchmark.

    Args:
        score: Points of 100.
        benchmark: Only scores of the same benchmark are compared.
        source: Who says so.
        date: When.
        measured: It comes from an evaluation of one's own, and wins over what was published.
    """

    score: float = Field(ge=0, le=100)
    benchmark: _Text
    source: _Text
    date: Date
    measured: bool = False


class Profile(Settings):
    """What is known of one model.

    Args:
        id: OpenRouter's slug, `"vendor/model"`, or `"provider:model"` for one that OpenRouter does not serve.
        vendor: Who makes it, as the slug names them.
        family: Models of one family tend to err alike.
        origin: ISO 3166 code of the vendor's country.
        open_weights: Whether its weights are published; `None` where unknown.
        context: Context window in tokens, `None` where unknown.
        tokens_per_second: How fast it writes, `None` where unknown.
        retires_on: The day from which its vendor no longer serves it, where one is set.
        direct: Its name at the vendor's own API, `"provider:model"`.
        scores: Per domain, each benchmark's result.
    """

    id: _Text
    vendor: _Text
    family: _Text
    origin: str = Field(pattern="^[A-Z]{2}$")
    open_weights: bool | None = None
    context: int | None = Field(default=None, ge=1)
    tokens_per_second: float | None = Field(default=None, gt=0)
    retires_on: Date | None = None
    direct: str | None = Field(default=None, pattern=r"^[^/:]+:.")
    scores: Mapping[Domain, tuple[Score, ...]] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """How a panelist may call it, `"provider:model"`: through OpenRouter first, then its vendor's own API."""
        served = self.id if _PROVIDER.match(self.id) else f"openrouter:{self.id}"
        return (served,) if self.direct is None else (served, self.direct)

    def retired(self, today: Date) -> bool:
        """Whether its vendor no longer serves it on `today`."""
        return self.retires_on is not None and self.retires_on <= today
