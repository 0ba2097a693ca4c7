"""The configuration of a run: `FusionConfig` and its parts. Wrong values fail at construction, with the field's name.

It shows no secrets: keys are named (`api_key_env`). It is the graph's `context_schema` and the shape of `fusion.toml`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from fusion_tool.config.base import ConfigModel, DatabaseAddress, Endpoint, KeyVariable, Model, Positive, Site, Tokens
from fusion_tool.config.choices import PREFIXES, Privacy, SearchProvider, Shell, Strategy
from fusion_tool.errors import ConfigError

if TYPE_CHECKING:
    from typing import Unpack

    from fusion_tool.config import settings


class Panelist(ConfigModel):
    """One model in one role: a seat of the panel, the judge, or the synthesizer."""

    model: Model
    """`"provider:model"`; in Python also a chat model of LangChain's."""
    seat: str | None = Field(default=None, min_length=1, max_length=64)
    """The label under which the result lists it; by default the model's short name."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sampling temperature; `None` leaves the provider's default."""
    seed: int | None = None
    """Sampling seed, where the provider takes one."""
    reasoning: Literal["minimal", "low", "medium", "high"] | None = None
    """Reasoning effort, for OpenAI and OpenRouter models."""
    max_tokens: Tokens | None = None
    """Upper bound of the answer, in tokens."""
    max_input_tokens: int | None = Field(default=None, ge=64)
    """The model's context window, in tokens, where its profile does not say."""
    base_url: Endpoint | None = None
    """An OpenAI-compatible endpoint (vLLM, llama.cpp, LiteLLM, ...)."""
    api_key_env: KeyVariable | None = None
    """The environment variable that holds this endpoint's key."""
    fallbacks: tuple[str, ...] = ()
    """Models asked in order when this one gives no usable answer."""
    _by_position: ClassVar[tuple[str, ...]] = ("model",)

    if TYPE_CHECKING:

        def __init__(self, model: settings.ModelLike, **values: Unpack[settings.PanelistOptions]) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _accept_model_alone(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, cls)) else {"model": value}

    @model_validator(mode="after")
    def _check_provider(self) -> "Panelist":
        if isinstance(self.model, str) and ":" not in self.model and self.base_url is None:
            raise ConfigError(f"'{self.model}' names no provider; write 'openrouter:{self.model}', say", field="model")
        return self

    @property
    def model_name(self) -> str:
        """The model as configured, or an instance's own name for itself."""
        if isinstance(self.model, str):
            return self.model
        own = getattr(self.model, "model_name", None) or getattr(self.model, "model", None)
        return str(own or type(self.model).__name__)

    @property
    def served_name(self) -> str:
        """The model's name at its endpoint, without the provider."""
        provider, _, name = self.model_name.partition(":")
        # At a `base_url` Ollama's `qwen3:8b` is a whole name: its colon parts a tag, not a provider.
        has_tag = self.base_url is not None and "/" not in name and provider not in PREFIXES
        return self.model_name if has_tag or not name else name

    @property
    def short_name(self) -> str:
        """The served name without its vendor."""
        return self.served_name.rsplit("/", 1)[-1]


class Limits(ConfigModel):
    """What a run may take."""

    usd: Positive | None = None
    """US dollars of model calls; no call is made that could pass it."""
    tokens: Tokens | None = None
    """Tokens of model calls, prompts and answers together; likewise."""
    seconds: Positive | None = None
    """Deadline of the whole run; by default 180, or more where models on machines of one's own need it."""
    seat_seconds: Positive | None = None
    """Deadline of one seat; by default what the run's own leaves to the panel."""
    quorum: int | None = Field(default=None, ge=1, le=8)
    """Usable answers after which the panel closes; `None` waits for every seat."""
    grace_seconds: float = Field(default=5.0, ge=0)
    """How long late seats may still answer once the quorum is reached."""
    min_answers: int = Field(default=1, ge=1, le=8)
    """Usable answers below which the run fails."""

    if TYPE_CHECKING:

        def __init__(self, **values: Unpack[settings.LimitsSettings]) -> None: ...


class Search(ConfigModel):
    """Web search: the providers, asked in order until one answers."""

    providers: tuple[SearchProvider, ...] = Field(default=("duckduckgo",), min_length=1)
    """The providers, asked in order until one answers."""
    cache_seconds: int | None = Field(default=None, ge=1)
    """Seconds for which results are kept across runs; `None` keeps none."""

    if TYPE_CHECKING:

        def __init__(self, **values: Unpack[settings.SearchSettings]) -> None: ...


class Fetch(ConfigModel):
    """How pages are fetched."""

    allowed_private_hosts: tuple[str, ...] = ()
    """Hosts of an intranet that may be read all the same (`"wiki.corp"`, `"127.0.0.1:8080"`)."""
    cache_seconds: int | None = Field(default=None, ge=1)
    """Seconds for which pages are kept across runs, except those served with `no-store`; `None` keeps none."""
    max_mb: int = Field(default=5, ge=1, le=32)
    """The largest page or PDF that is read, in megabytes as sent and as decompressed."""

    if TYPE_CHECKING:

        def __init__(self, **values: Unpack[settings.FetchSettings]) -> None: ...


class Documents(ConfigModel):
    """The user's own texts, which the seats may search."""

    path: Path | Annotated[tuple[Path, ...], Field(min_length=1)]
    """A folder or a file, or several."""
    send_to: Privacy = "any"
    """Whose models may see excerpts of it, and answers made of them: `any`, or `local` ones, on this machine."""

    if TYPE_CHECKING:

        def __init__(self, **values: Unpack[settings.DocumentsSettings]) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _accept_path_alone(cls, value: Any) -> Any:
        # Else an empty text, such as a variable that is not set, would be the working folder.
        paths = [path or None for path in value] if isinstance(value, (list, tuple)) else value or None
        return {"path": paths} if isinstance(value, (str, Path, list, tuple)) else value

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders and files."""
        return (self.path,) if isinstance(self.path, Path) else self.path


class FusionConfig(ConfigModel):
    """A run's whole configuration."""

    panel: tuple[Panelist, ...] = Field(min_length=1, max_length=8)
    """1 to 8 panelists; a string stands for a panelist with that model. The same model may sit twice."""
    judge: Panelist | None = None
    """Compares the answers; by default chosen by what is known of models as judges, else the panel's first model."""
    synthesizer: Panelist | None = None
    """Writes the answer; by default the judge that is named, else chosen by what is known of models as writers."""
    strategy: Strategy = "panel"
    """`panel` asks every seat; `solo` the first; `cascade` two, and the rest where they disagree; `chain` one by one,
    cheapest first, until an answer is good enough; `auto` lets the router choose models and strategy."""
    limits: Limits = Limits()
    """Dollars, tokens, time and quorum."""
    search: Search | None = Search()
    """Web tools' search providers; `None` (in TOML `search = false`) turns the web tools off."""
    fetch: Fetch = Fetch()
    """Page reading."""
    documents: Documents | None = None
    """A folder of the user's own texts that the seats may search; a path is enough."""
    bash: Shell = "auto"
    """The sandboxed shell: `auto` where it works, `sandbox` requires it, `off`."""
    max_tool_calls: int = Field(default=4, ge=0, le=64)
    """Tool calls a seat may make before it must answer."""
    excluded_domains: tuple[Site, ...] = ()
    """Sites that no search, fetch or redirect may touch, with their subdomains, archived copies and translations."""
    blocked_fragments: tuple[str, ...] = ()
    """Pages and results that contain one of these texts are dropped."""
    follow_up: bool = False
    """Ask once more, with pointed questions, about what the judge finds disputed or missing."""
    verify: Annotated[bool | Panelist, WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string"}]})] = False
    """Let a second reader, the judge's model or the one that is named, hold each citation against its source."""
    quality: float = Field(default=0.95, gt=0, le=1)
    """Under `auto`, what share of the best allowed model's score in the question's domain is good enough."""
    candidates: Literal["keyed", "configured"] = "keyed"
    """Choose models under `auto`, and a judge and a writer that nobody names, among all those that keys open (`keyed`)
    or, as hosted callers must, the `configured`."""
    privacy: Privacy = "any"
    """`local` lets nothing of the question leave this machine."""
    deny: tuple[str, ...] = ()
    """Models that no role may use, as patterns of `vendor/model` or `provider:model` (`"anthropic/*"`)."""
    require_open_weights: bool = False
    """Use only models whose weights are open."""
    cache: bool = False
    """Give the stored result where the same question was asked with the same configuration on the same day."""
    hedge: float | None = Field(default=None, gt=0, le=1)
    """The share of extra calls, at most, that may go to a seat's fallback when its model is slow to begin."""
    health: bool = True
    """Remember how models fared in the user's data folder, so that fallbacks and router avoid failing ones."""
    database: DatabaseAddress | None = Field(default=None, exclude=True, repr=False)
    """The PostgreSQL database that processes share; by default that of `FUSION_DATABASE_URL`, else none."""
    trace_content: bool = True
    """Show what is written to tracers such as LangSmith, and what seats and judge write to readers of events."""
    allow_unpriced: bool = False
    """Let models without a known price run under `limits.usd`; their cost is then not counted."""
    instructions: str = ""
    """How answers shall be written: language, tone, length; a call's own instructions come after these."""
    summary_tokens: int = Field(default=1500, ge=100)
    """Upper bound of what the tool hands back to the calling agent, in tokens."""
    list_sources: bool = False
    """End an answer that is a message with a list of its sources, for clients that show nothing but text."""

    if TYPE_CHECKING:

        def __init__(self, **values: Unpack[settings.ConfigSettings]) -> None: ...

    @field_validator("search", mode="before")
    @classmethod
    def _accept_false(cls, value: Any) -> Any:
        return None if value is False else value

    @field_validator("verify", mode="before")
    @classmethod
    def _accept_model(cls, value: Any) -> Any:
        if not isinstance(value, (bool, str, dict, Panelist)) and not hasattr(value, "ainvoke"):
            raise ConfigError("expected true, false, or the second reader as 'provider:model'")
        return value if isinstance(value, (bool, Panelist)) else Panelist.model_validate(value)

    @model_validator(mode="after")
    def _check_panel(self) -> "FusionConfig":
        labels = [seat.seat for seat in self.panel if seat.seat]
        if len(labels) != len(set(labels)):
            raise ConfigError("two seats have the same label", field="panel")
        for field in ("quorum", "min_answers"):
            if (value := getattr(self.limits, field)) is not None and value > len(self.panel):
                raise ConfigError(f"{value} of {len(self.panel)} seats cannot answer", field=f"limits.{field}")
        return self

    @property
    def has_sources(self) -> bool:
        """Whether the seats have documents or the web to answer from."""
        return self.documents is not None or self.search is not None

    @property
    def documents_stay_local(self) -> bool:
        """Whether there are documents that only local models may see."""
        return self.documents is not None and self.documents.send_to == "local"

    @property
    def has_tools(self) -> bool:
        """Whether the seats have any tool of the package's own."""
        return self.has_sources or self.bash != "off"

    @property
    def judge_or_default(self) -> Panelist:
        """The judge; the panel's first model where none is set and nobody was chosen for the run."""
        # Without its label, which names the seat alone.
        return self.judge or self.panel[0].model_copy(update={"seat": None})

    @property
    def synthesizer_or_default(self) -> Panelist:
        """The synthesizer; the judge where none is set."""
        return self.synthesizer or self.judge_or_default

    @property
    def verifier(self) -> Panelist | None:
        """The second reader; `None` where there is none. One that sits on the panel is asked as it is there."""
        if isinstance(self.verify, bool):
            return self.judge_or_default if self.verify else None
        named = [seat for seat in self.panel if self.verify == Panelist(model=seat.model)]
        return named[0].model_copy(update={"seat": None}) if named else self.verify

    @property
    def roles(self) -> tuple[Panelist, ...]:
        """Every panelist that a run may ask."""
        return tuple(filter(None, (*self.panel, self.judge_or_default, self.synthesizer_or_default, self.verifier)))

    @property
    def seat_labels(self) -> tuple[str, ...]:
        """A unique label for each seat, in the panel's order: its own, or its model's short name, `-2` at a repeat."""
        # Own labels first: an earlier seat's generated label must not take the one that a later seat was set to.
        labels_in_use = {seat.seat for seat in self.panel if seat.seat}
        labels = []
        for seat in self.panel:
            base, label, n = seat.short_name, seat.seat, 1
            while label is None:
                candidate = base if n == 1 else f"{base}-{n}"
                n, label = n + 1, None if candidate in labels_in_use else candidate
            labels_in_use.add(label)
            labels.append(label)
        return tuple(labels)
