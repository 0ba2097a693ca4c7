"""The settings as keyword arguments, for type checkers: beside each class of `config.schema` what it is made of.

Wider than the fields, which hold what became of it: a model's name stands for a panelist, a list for a tuple, a dict
for a part. A contract test compares names and types with the fields'.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Required, TypeAlias, Union

from typing_extensions import TypedDict

from fusion_tool.config.choices import Privacy, SearchProvider, Shell, Strategy

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from fusion_tool.config.schema import Documents, Fetch, Limits, Panelist, Search

Texts: TypeAlias = list[str] | tuple[str, ...]
"""Not any sequence: a text alone is one of texts, too, and would be taken letter by letter."""
ModelLike: TypeAlias = Union[str, "BaseChatModel"]
PathLike: TypeAlias = str | Path


class PanelistOptions(TypedDict, total=False):
    """What a `Panelist` may be set to beside its model."""

    seat: str | None
    temperature: float | None
    seed: int | None
    reasoning: Literal["minimal", "low", "medium", "high"] | None
    max_tokens: int | None
    max_input_tokens: int | None
    base_url: str | None
    api_key_env: str | None
    fallbacks: Texts


class PanelistSettings(PanelistOptions):
    """A `Panelist` as a dict."""

    model: Required[ModelLike]


PanelistLike: TypeAlias = Union["Panelist", PanelistSettings, ModelLike]


class SessionLimits(TypedDict, total=False):
    """`session_limits` as a dict: those of `Limits` that can hold for several runs together."""

    usd: float | None
    tokens: int | None
    seconds: float | None


class LimitsSettings(SessionLimits, total=False):
    """`Limits` as a dict."""

    seat_seconds: float | None
    quorum: int | None
    grace_seconds: float
    min_answers: int


class SearchSettings(TypedDict, total=False):
    """`Search` as a dict."""

    providers: list[SearchProvider] | tuple[SearchProvider, ...]
    cache_seconds: int | None


class FetchSettings(TypedDict, total=False):
    """`Fetch` as a dict."""

    allowed_private_hosts: Texts
    cache_seconds: int | None
    max_mb: int


class DocumentsSettings(TypedDict, total=False):
    """`Documents` as a dict."""

    path: Required[PathLike | Sequence[PathLike]]
    send_to: Privacy


class FusionConfigOptions(TypedDict, total=False):
    """What a `FusionConfig` may be set to beside its panel."""

    judge: PanelistLike | None
    synthesizer: PanelistLike | None
    strategy: Strategy
    limits: Union["Limits", LimitsSettings]
    search: Union["Search", SearchSettings, Literal[False], None]
    fetch: Union["Fetch", FetchSettings]
    documents: Union["Documents", DocumentsSettings, PathLike, Sequence[PathLike], None]
    bash: Shell
    max_tool_calls: int
    excluded_domains: Texts
    blocked_fragments: Texts
    follow_up: bool
    verify: bool | PanelistLike
    quality: float
    candidates: Literal["keyed", "configured"]
    instructions: str
    privacy: Privacy
    deny: Texts
    require_open_weights: bool
    cache: bool
    hedge: float | None
    health: bool
    database: str | None
    trace_content: bool
    allow_unpriced: bool
    summary_tokens: int
    list_sources: bool


class Settings(FusionConfigOptions, total=False):
    """What a call may override of its configuration."""

    panel: Sequence[PanelistLike]
    preset: str | None


class ConfigSettings(FusionConfigOptions):
    """What a `FusionConfig` is made of."""

    panel: Required[Sequence[PanelistLike]]
