"""Candidates: every known model with its quality and price, and why it is out where it is."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import TypeAlias

from fusion_tool.budget.amounts import (
    ANALYSIS_TOKENS,
    ANSWER_TOKENS,
    BYTES_A_TOKEN,
    RESULT_TOKENS,
    TURN_TOKENS,
    sum_known,
)
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import KEYS, with_model
from fusion_tool.routing.classifier.signals import Domain
from fusion_tool.routing.policy.locality import is_local
from fusion_tool.routing.policy.model_names import matching_ban
from fusion_tool.routing.profiles import Profile, profile_of
from fusion_tool.routing.quality import Quality, relative_quality

_INSTRUCTIONS = 1500
"""Tokens of a role's instructions, with the schemas of a seat's tools."""

_STEP = 1000
"""Bytes by which questions are counted: the price list is slow, and with steps its answers can be cached."""


def seat_usd(model: str, config: FusionConfig, question_bytes: int) -> float | None:
    """Return US dollars of a seat that makes all its tool calls, one in each turn; `None` where the price is unknown.

    Args:
        model: `"provider:model"`.
        config: Says which tools a seat has, and how often it may call them.
        question_bytes: Bytes of the question and its context.
    """
    turns = _turns(config)
    prompt, growth = _prompt(question_bytes), RESULT_TOKENS + TURN_TOKENS
    # Each turn sends the whole conversation again: what is read grows with the square of the turns.
    input_tokens = sum(prompt + turn * growth for turn in range(turns + 1))
    return _usd(model, input_tokens, _output_tokens(turns))


def comparison_usd(judge: str, synthesizer: str, question_bytes: int, answers: int) -> float | None:
    """Return US dollars of comparing `answers` answers and writing one; `None` where a price is unknown."""
    prompt = _prompt(question_bytes) + answers * ANSWER_TOKENS
    analysis = _usd(judge, prompt, ANALYSIS_TOKENS)
    return sum_known([analysis, _usd(synthesizer, prompt + ANALYSIS_TOKENS, ANSWER_TOKENS)])


def seat_seconds(tokens_per_second: float | None, config: FusionConfig) -> float | None:
    """Return seconds that one seat writes; `None` where its speed is unknown."""
    return None if tokens_per_second is None else _output_tokens(_turns(config)) / tokens_per_second


def _prompt(question_bytes: int) -> int:
    """Return tokens of the first prompt."""
    return _INSTRUCTIONS + math.ceil(question_bytes / _STEP) * _STEP // BYTES_A_TOKEN


@lru_cache(maxsize=4096)
def _usd(model: str, input_tokens: int, output_tokens: int) -> float | None:
    return cost_of(model, input_tokens=input_tokens, output_tokens=output_tokens)[0]


def _turns(config: FusionConfig) -> int:
    return config.max_tool_calls if config.has_tools else 0


def _output_tokens(turns: int) -> int:
    return turns * TURN_TOKENS + ANSWER_TOKENS


RejectionRule: TypeAlias = Callable[[str], str | None]
"""Returns why a model, `"provider:model"`, may not be called (denied, no key, ...); `None` where it may."""

_CROWDED = 0.5
"""The share of a context window that a question may fill; the rest is for tools and the answer."""


@dataclass(frozen=True)
class Candidate:
    """One model, considered for one question.

    Args:
        model: The name under which it would be called, `"provider:model"`.
        family: Models of one family tend to err alike.
        score: Points of 100 in the question's domain, `None` where it has none.
        quality: Its score divided by that of the best allowed model, 0 to 1; `None` where there is none.
        usd: Expected US dollars as a single seat, `None` where unknown.
        seconds: Expected seconds of writing, `None` where unknown.
        rejection: What keeps it out of this plan; `None` where nothing does.
        limit: The setting that keeps it out, where that is a limit or `quality`.
    """

    model: str
    family: str
    score: float | None = None
    quality: float | None = None
    usd: float | None = None
    seconds: float | None = None
    rejection: str | None = None
    limit: str | None = None

    @property
    def short_name(self) -> str:
        """The model's name without provider and vendor."""
        return self.model.partition(":")[2].rsplit("/", 1)[-1]


@dataclass(frozen=True)
class CandidateSet:
    """All candidates for one question.

    Args:
        candidates: Those that may be asked and whose quality is known, cheapest first; then the others.
        basis: What their quality rests on, for people.
        enough: The quality that is good enough: the asked one, or the best there is where none has that.
        newest: The day of the newest score that it rests on; `None` where there is none.
        stale: Models whose score does not count, as they have changed since it was measured; each with the day.
    """

    candidates: tuple[Candidate, ...]
    basis: str
    enough: float
    newest: date | None = None
    stale: Mapping[str, date] = field(default_factory=dict)

    @property
    def eligible(self) -> list[Candidate]:
        """Those that may be asked, of known quality and price, cheapest first."""
        return [
            candidate for candidate in self.candidates if candidate.quality is not None and candidate.usd is not None
        ]

    @property
    def fit(self) -> list[Candidate]:
        """Those that meet quality and limits."""
        return [candidate for candidate in self.eligible if candidate.rejection is None]


def find_candidates(  # noqa: PLR0913 - as for `choose`
    domain: Domain,
    config: FusionConfig,
    *,
    profiles: Mapping[str, Profile],
    rejection_of: RejectionRule,
    unavailable: Collection[str],
    today: date,
    question_bytes: int,
) -> CandidateSet:
    """Rate every known model for a question.

    Args:
        domain: The domain of the question.
        config: Its `quality` and limits are applied.
        profiles: What is known of models.
        rejection_of: Returns why a model may not be called; `None` where it may.
        unavailable: Models, `"provider:model"` or `Profile.id`, that do not answer at present.
        today: The day of the run.
        question_bytes: Bytes of the question and its context.
    """
    names: dict[str, str] = {}
    out: list[Candidate] = []
    for profile in profiles.values():
        name, rejection = _reachable(profile, rejection_of, unavailable)
        rejection = rejection or _unfit(profile, today, question_bytes)
        if rejection is None:
            names[profile.id] = name
        else:
            out.append(Candidate(name, profile.family, rejection=rejection))
    # Among the allowed models alone: the best of them sets the scale, not one that cannot be asked anyway.
    quality = relative_quality(domain, [profiles[name] for name in names])
    allowed = [_weigh(profiles[key], name, quality, config, question_bytes) for key, name in names.items()]
    enough = _enough(allowed, config.quality)
    limited = [_apply_limits(candidate, config, enough) for candidate in allowed]
    candidates = tuple(sorted([*limited, *out], key=_order))
    return CandidateSet(candidates, quality.basis, enough, quality.newest, quality.stale)


def _reachable(profile: Profile, rejection_of: RejectionRule, unavailable: Collection[str]) -> tuple[str, str | None]:
    """Return the first name under which the model may be asked; else its first name, and why that may not."""
    rejections: list[str] = []
    for name in profile.names:
        is_failing = {name, profile.id} & set(unavailable)
        rejection = "does not answer at present" if is_failing else rejection_of(name)
        if rejection is None:
            return name, None
        rejections.append(rejection)
    return profile.names[0], rejections[0]


def _unfit(profile: Profile, today: date, question_bytes: int) -> str | None:
    if profile.is_retired(today):
        return f"withdrawn since {profile.retires_on}"
    if profile.context is not None and question_bytes // BYTES_A_TOKEN > profile.context * _CROWDED:
        return f"the question fills too much of its {profile.context:,} tokens"
    return None


def _weigh(profile: Profile, name: str, worth: Quality, config: FusionConfig, question_bytes: int) -> Candidate:
    quality = worth.shares.get(profile.id)
    if quality is None:
        return Candidate(name, profile.family, rejection="no score")
    seconds = seat_seconds(profile.tokens_per_second, config)
    return Candidate(
        name, profile.family, worth.scores.get(profile.id), quality, seat_usd(name, config, question_bytes), seconds
    )


def _enough(allowed: Iterable[Candidate], quality: float) -> float:
    """Return the quality that is good enough: the configured one, or the best of those with a known price."""
    # The best allowed model has quality 1, but perhaps no known price.
    qualities = [
        candidate.quality for candidate in allowed if candidate.quality is not None and candidate.usd is not None
    ]
    return min(quality, max(qualities, default=quality))


def _apply_limits(candidate: Candidate, config: FusionConfig, enough: float) -> Candidate:
    """Return `candidate` with the first limit that keeps it out, if any."""
    limits, seconds = config.limits, config.limits.seat_seconds or config.limits.seconds or RUN_SECONDS
    if candidate.quality is None:
        return candidate
    if candidate.usd is None:
        return replace(candidate, rejection="no known price")
    # Quality before the limits: an error names a limit as what binds, and that is true only of a good enough model.
    if candidate.quality < enough:
        reason = f"{candidate.quality:.3f} of the best score, less than {enough:.4g}"
        return replace(candidate, rejection=reason, limit="quality")
    if limits.usd is not None and candidate.usd > limits.usd:
        reason = f"${candidate.usd:.4f} expected, more than ${limits.usd:g}"
        return replace(candidate, rejection=reason, limit="limits.usd")
    if candidate.seconds is not None and candidate.seconds > seconds:
        reason = f"{candidate.seconds:.0f} s expected, more than {seconds:g}"
        return replace(candidate, rejection=reason, limit="limits.seconds")
    return candidate


def _order(candidate: Candidate) -> tuple[bool, float, float]:
    return (
        candidate.quality is None,
        candidate.usd if candidate.usd is not None else float("inf"),
        -(candidate.quality or 0),
    )


def configured_models(config: FusionConfig) -> Mapping[str, Panelist]:
    """Return the named models: a role's with its settings, the panel's before others; then the roles' fallbacks.

    A model that was given as an object has no name that would lead to it, and is none of them.
    """
    roles = config.roles
    behind = (with_model(role, model) for role in roles for model in role.fallbacks)
    # Reversed, as a dict keeps the last of several with one key, and the panel's settings are to win.
    return {role.model: role for role in reversed((*roles, *behind)) if isinstance(role.model, str)}


def has_own_endpoint(panelist: Panelist) -> bool:
    """Return whether the model is asked elsewhere, or with another key, than its bare name says."""
    return panelist.base_url is not None or panelist.api_key_env is not None


def rejection_rule(
    config: FusionConfig, *, profiles: Mapping[str, Profile], keyed: Collection[str] | None
) -> RejectionRule:
    """Return the rule that says why a model may not be called.

    Args:
        config: Its `candidates`, `privacy`, `deny` and `require_open_weights` are applied.
        profiles: What is known of models.
        keyed: Providers whose key is set; `None` plans as if all were.
    """
    configured = configured_models(config)

    # The missing key last: whoever has denied a model is not to be told that it lacks a key.
    def rejection_of(model: str) -> str | None:
        if config.candidates == "configured" and model not in configured:
            return "is not one of the configured models"
        panelist, provider = configured.get(model) or Panelist(model=model), model.partition(":")[0]
        if config.privacy == "local" and not is_local(panelist):
            return "privacy is local, and it is not"
        if pattern := matching_ban(panelist, config.deny, profiles):
            return f"denied by '{pattern}'"
        profile = profile_of(model, profiles)
        if config.require_open_weights and not (profile and profile.open_weights):
            return "its weights are not known to be open"
        if keyed is not None and provider in KEYS and provider not in keyed and not has_own_endpoint(panelist):
            return f"{KEYS[provider]} is not set"
        return None

    return rejection_of
