"""The configuration of a run. Wrong values fail at construction, with the field's name.

It holds no secrets: a key is named (`api_key_env`), never contained. It is the graph's `context_schema`, so
that LangGraph Studio draws a form of it, and the shape of `fusion.toml`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from fusion_tool.errors import ConfigError
from fusion_tool.panelist import Panelist
from fusion_tool.validation import Settings

__all__ = ["Documents", "Fetch", "FusionConfig", "Limits", "Panelist", "Search", "SearchProvider", "Strategy"]

Positive = Annotated[float, Field(gt=0)]
SearchProvider = Literal["duckduckgo", "searxng", "tavily", "exa", "brave"]
Strategy: TypeAlias = Literal["panel", "solo", "cascade", "chain", "auto"]


class Limits(Settings):
    """What a run may take.

    Args:
        usd: US dollars of model calls; no call is made that could pass it.
        tokens: Tokens of model calls, prompts and answers together; likewise.
        seconds: Deadline of the whole run.
        seat_seconds: Deadline of one seat; by default what the run's own leaves to the panel.
        quorum: Usable answers after which the panel closes; `None` waits for every seat.
        grace_seconds: How long late seats may still answer once the quorum is reached.
        min_answers: Usable answers below which the run fails.
    """

    usd: Positive | None = None
    tokens: int | None = Field(default=None, ge=1)
    seconds: Positive = 180.0
    seat_seconds: Positive | None = None
    quorum: int | None = Field(default=None, ge=1, le=8)
    grace_seconds: float = Field(default=5.0, ge=0)
    min_answers: int = Field(default=1, ge=1, le=8)


class Search(Settings):
    """Web search: the providers, asked in order until one answers.

    `cache_seconds` keeps results across runs for that long; `None` keeps none.
    """

    providers: tuple[SearchProvider, ...] = Field(default=("duckduckgo",), min_length=1)
    cache_seconds: int | None = Field(default=None, ge=1)


class Fetch(Settings):
    """Page reading.

    `allowed_private_hosts` opens named hosts (`"wiki.corp"`, `"127.0.0.1:8080"`) for intranets. `cache_seconds` keeps
    pages across runs for that long, but those served with `no-store`; `None` keeps none.
    """

    allowed_private_hosts: tuple[str, ...] = ()
    cache_seconds: int | None = Field(default=None, ge=1)


class Documents(Settings):
    """A folder of the user's own texts that the seats may search.

    Args:
        path: The folder.
        send_to: Whose models may see excerpts of it, and answers made from them: `any`, or only `local` ones, which
            run on this machine.
    """

    path: Path
    send_to: Literal["any", "local"] = "any"

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, (str, Path)) else value


class FusionConfig(Settings):
    """A run's whole configuration.

    Args:
        panel: 1 to 8 panelists; a string stands for a panelist with that model. The same model may sit twice.
        judge: Compares the answers; by default the panel's first model.
        synthesizer: Writes the answer; by default the judge.
        strategy: `panel` asks every seat; `solo` the first alone; `cascade` the first two, and the rest only where
            they disagree; `chain` one after the other, cheapest first, until an answer is good enough; `auto` lets
            the router choose models and strategy by the question.
        limits: Dollars, tokens, time and quorum.
        search: Web tools' search providers; `None` (in TOML `search = false`) turns the web tools off.
        fetch: Page reading.
        documents: A folder of the user's own texts that the seats may search; a path is enough.
        bash: The sandboxed shell: `auto` where it works, `sandbox` requires it, `off`.
        max_tool_calls: Tool calls a seat may make before it must answer.
        excluded_domains: Sites that no search, fetch or redirect may touch, with their subdomains.
        blocked_fragments: Pages and results that contain one of these texts are dropped.
        follow_up: Ask once more, with pointed questions, about what the judge finds disputed or missing.
        quality: Under `auto`, what share of the best allowed model's score in the question's domain is good enough.
        candidates: Under `auto`, the models to choose from: all that the set keys open (`keyed`), or the `configured`
            ones alone, fallbacks included; a hosted caller's `auto` has those alone.
        privacy: `local` lets nothing of the question leave this machine.
        deny: Models that no role may use, as patterns of `vendor/model` or `provider:model` (`"anthropic/*"`).
        require_open_weights: Use only models whose weights are open.
        cache: Give the stored result where the same question was asked with the same configuration on the same day.
        hedge: The share of extra calls, at most, that may go to a seat's fallback when its model is slow to begin.
        health: Remember how models fared in the user's data folder, so that fallbacks and router avoid failing ones.
        trace_content: Show prompts and answers to tracers such as LangSmith; without it they see only shape and cost.
        allow_unpriced: Let models without a known price run under `limits.usd`; their cost is then not counted.
        summary_tokens: Upper bound of what the tool hands back to the calling agent, in tokens.
    """

    panel: tuple[Panelist, ...] = Field(min_length=1, max_length=8)
    judge: Panelist | None = None
    synthesizer: Panelist | None = None
    strategy: Strategy = "panel"
    limits: Limits = Limits()
    search: Search | None = Search()
    fetch: Fetch = Fetch()
    documents: Documents | None = None
    bash: Literal["auto", "sandbox", "off"] = "auto"
    max_tool_calls: int = Field(default=4, ge=0, le=64)
    excluded_domains: tuple[str, ...] = ()
    blocked_fragments: tuple[str, ...] = ()
    follow_up: bool = False
    quality: float = Field(default=0.95, gt=0, le=1)
    candidates: Literal["keyed", "configured"] = "keyed"
    privacy: Literal["any", "local"] = "any"
    deny: tuple[str, ...] = ()
    require_open_weights: bool = False
    cache: bool = False
    hedge: float | None = Field(default=None, gt=0, le=1)
    health: bool = True
    trace_content: bool = True
    allow_unpriced: bool = False
    summary_tokens: int = Field(default=1500, ge=100)

    @field_validator("search", mode="before")
    @classmethod
    def _off_in_toml(cls, value: Any) -> Any:
        return None if value is False else value

    @model_validator(mode="after")
    def _fits_together(self) -> "FusionConfig":
        given = [seat.seat for seat in self.panel if seat.seat]
        if len(given) != len(set(given)):
            raise ConfigError("two seats have the same label", field="panel")
        for field in ("quorum", "min_answers"):
            value = getattr(self.limits, field)
            if value is not None and value > len(self.panel):
                raise ConfigError(f"{value} of {len(self.panel)} seats cannot answer", field=f"limits.{field}")
        return self

    @property
    def judge_or_default(self) -> Panelist:
        """The judge; the panel's first model where none is set, so that no unexpected model is ever billed."""
        return self.judge or self.panel[0].model_copy(update={"seat": None})

    @property
    def synthesizer_or_default(self) -> Panelist:
        """The synthesizer; the judge where none is set."""
        return self.synthesizer or self.judge_or_default

    @property
    def seat_labels(self) -> tuple[str, ...]:
        """One unique label a seat, in the panel's order: given, or the model's short name, `-2` for repeats."""
        taken = {seat.seat for seat in self.panel if seat.seat}
        labels = []
        for seat in self.panel:
            base, label, n = seat.short_name, seat.seat, 1
            while label is None:
                candidate = base if n == 1 else f"{base}-{n}"
                n, label = n + 1, None if candidate in taken else candidate
            taken.add(label)
            labels.append(label)
        return tuple(labels)
