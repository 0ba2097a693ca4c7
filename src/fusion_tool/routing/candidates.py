"""The models that may answer, with quality and price, and why others are out."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import TypeAlias

from fusion_tool.budget.amounts import ANALYSIS_TOKENS, ANSWER_TOKENS, BYTES_A_TOKEN, RESULT_TOKENS, TURN_TOKENS
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import KEYS, fallback_of
from fusion_tool.routing.classifier.signals import Domain
from fusion_tool.routing.policy.locality import is_local
from fusion_tool.routing.policy.model_names import banned_by
from fusion_tool.routing.profiles import Profile, profile_of
from fusion_tool.routing.quality import Quality, qualities

_INSTRUCTIONS = 1500
"""Tokens of a role's instructions, with the schemas of a seat's tools."""

_STEP = 1000
"""Bytes by which questions are counted: the price list is slow, and steps let its answers be kept."""


def seat_usd(model: str, config: FusionConfig, asked: int) -> float | None:
    """US dollars of one seat that makes all its tool calls, one a turn; `None` where the price is unknown.

    Args:
        model: `"provider:model"`.
        config: Its tools and how often they may be called.
        asked: Bytes of the question and its context.
    """
    turns = _turns(config)
    prompt, growth = _prompt(asked), RESULT_TOKENS + TURN_TOKENS
    read = sum(prompt + turn * growth for turn in range(turns + 1))
    return _usd(model, read, _written(turns))


def comparison_usd(judge: str, synthesizer: str, asked: int, answers: int) -> float | None:
    """US dollars of comparing `answers` answers and writing one; `None` where a price is unknown."""
    prompt = _prompt(asked) + answers * ANSWER_TOKENS
    judged = _usd(judge, prompt, ANALYSIS_TOKENS)
    return total([judged, _usd(synthesizer, prompt + ANALYSIS_TOKENS, ANSWER_TOKENS)])


def seat_seconds(tokens_per_second: float | None, config: FusionConfig) -> float | None:
    """Seconds that one seat writes; `None` where its speed is unknown."""
    return None if tokens_per_second is None else _written(_turns(config)) / tokens_per_second


def total(costs: Sequence[float | None]) -> float | None:
    """The sum; unknown where one of them is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _prompt(asked: int) -> int:
    """Tokens of the first prompt."""
    return _INSTRUCTIONS + math.ceil(asked / _STEP) * _STEP // BYTES_A_TOKEN


@lru_cache(maxsize=4096)
def _usd(model: str, read: int, written: int) -> float | None:
    return cost_of(model, input_tokens=read, output_tokens=written)[0]


def _turns(config: FusionConfig) -> int:
    tools = config.search is not None or config.documents is not None or config.bash != "off"
    return config.max_tool_calls if tools else 0


def _written(turns: int) -> int:
    return turns * TURN_TOKENS + ANSWER_TOKENS


Refusal: TypeAlias = Callable[[str], str | None]
"""Why a model, `"provider:model"`, may not be asked (denied, weights not open, no key, ...); `None` where it may."""

_CROWDED = 0.5
"""The share of a context window that a question may fill; the rest is for tools and the answer."""


@dataclass(frozen=True)
class Candidate:
    """One model, considered for one question.

    Args:
        model: As it would be asked, `"provider:model"`.
        family: Models of one family tend to err alike.
        score: Points of 100 in the question's domain, `None` where it has none.
        quality: Its score over the best allowed one's, 0 to 1; `None` where it cannot be told.
        usd: What it is expected to cost as a single seat, `None` where unknown.
        seconds: How long it is expected to write, `None` where unknown.
        why_not: What keeps it out of this plan; `None` where nothing does.
        limit: The setting that does, where a limit of the configuration does.
    """

    model: str
    family: str
    score: float | None = None
    quality: float | None = None
    usd: float | None = None
    seconds: float | None = None
    why_not: str | None = None
    limit: str | None = None

    @property
    def short_name(self) -> str:
        """Without provider and vendor."""
        return self.model.partition(":")[2].rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Field:
    """All candidates for one question.

    Args:
        candidates: Those that may be asked and whose quality is known, cheapest first; then the others.
        basis: What their quality rests on, for people.
        enough: The quality that is good enough: the asked one, or the best there is where none has that.
    """

    candidates: tuple[Candidate, ...]
    basis: str
    enough: float

    @property
    def known(self) -> list[Candidate]:
        """Those that may be asked, of known quality and price, cheapest first."""
        return [one for one in self.candidates if one.quality is not None and one.usd is not None]

    @property
    def fit(self) -> list[Candidate]:
        """Those that meet quality and limits."""
        return [one for one in self.known if one.why_not is None]


def candidates(  # noqa: PLR0913 - as for `choose`
    domain: Domain,
    config: FusionConfig,
    *,
    profiles: Mapping[str, Profile],
    refusal: Refusal,
    unavailable: Collection[str],
    today: date,
    asked: int,
) -> Field:
    """Every known model, weighed for a question.

    Args:
        domain: The question's.
        config: `quality` and the limits.
        profiles: What is known of models.
        refusal: Why one may not be asked.
        unavailable: Models, `"provider:model"` or `Profile.id`, that do not answer at present.
        today: The day of the run.
        asked: Bytes of the question and its context.
    """
    names: dict[str, str] = {}
    out: list[Candidate] = []
    for one in profiles.values():
        name, why = _reachable(one, refusal, unavailable)
        why = why or _unfit(one, today, asked)
        if why is None:
            names[one.id] = name
        else:
            out.append(Candidate(name, one.family, why_not=why))
    worth = qualities(domain, [profiles[name] for name in names])
    weighed = [_weighed(profiles[key], name, worth, config, asked) for key, name in names.items()]
    enough = _enough(weighed, config.quality)
    limited = [_limited(one, config, enough) for one in weighed]
    return Field(tuple(sorted([*limited, *out], key=_order)), worth.basis, enough)


def _reachable(one: Profile, refusal: Refusal, unavailable: Collection[str]) -> tuple[str, str | None]:
    """The first name under which it may be asked; else its first, and why not."""
    whys: list[str] = []
    for name in one.names:
        why = "does not answer at present" if {name, one.id} & set(unavailable) else refusal(name)
        if why is None:
            return name, None
        whys.append(why)
    return one.names[0], whys[0]


def _unfit(one: Profile, today: date, asked: int) -> str | None:
    if one.retired(today):
        return f"withdrawn since {one.retires_on}"
    if one.context is not None and asked // BYTES_A_TOKEN > one.context * _CROWDED:
        return f"the question fills too much of its {one.context:,} tokens"
    return None


def _weighed(one: Profile, name: str, worth: Quality, config: FusionConfig, asked: int) -> Candidate:
    quality = worth.shares.get(one.id)
    if quality is None:
        return Candidate(name, one.family, why_not="no score")
    seconds = seat_seconds(one.tokens_per_second, config)
    return Candidate(name, one.family, worth.scores.get(one.id), quality, seat_usd(name, config, asked), seconds)


def _enough(weighed: Iterable[Candidate], wanted: float) -> float:
    """The best allowed model has all of the quality, but no known price perhaps, or leads in no domain that counts."""
    known = [one.quality for one in weighed if one.quality is not None and one.usd is not None]
    return min(wanted, max(known, default=wanted))


def _limited(one: Candidate, config: FusionConfig, enough: float) -> Candidate:
    """`one` with the first thing that keeps it out."""
    limits, seconds = config.limits, config.limits.seat_seconds or config.limits.seconds
    if one.quality is None:
        return one
    if one.usd is None:
        return replace(one, why_not="no known price")
    if one.quality < enough:
        why = f"{one.quality:.3f} of the best score, less than {enough:.4g}"
        return replace(one, why_not=why, limit="quality")
    if limits.usd is not None and one.usd > limits.usd:
        why = f"${one.usd:.4f} expected, more than ${limits.usd:g}"
        return replace(one, why_not=why, limit="limits.usd")
    if one.seconds is not None and one.seconds > seconds:
        why = f"{one.seconds:.0f} s expected, more than {seconds:g}"
        return replace(one, why_not=why, limit="limits.seconds")
    return one


def _order(one: Candidate) -> tuple[bool, float, float]:
    return one.quality is None, one.usd if one.usd is not None else float("inf"), -(one.quality or 0)


def configured(config: FusionConfig) -> Mapping[str, Panelist]:
    """The named models: a role's with its settings, the panel's before others; then the roles' fallbacks.

    A model that was given as an object has no name that would lead to it, and is none of them.
    """
    roles = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    behind = (fallback_of(one, model) for one in roles for model in one.fallbacks)
    return {one.model: one for one in reversed((*roles, *behind)) if isinstance(one.model, str)}


def has_own_endpoint(one: Panelist) -> bool:
    """Whether the model is asked elsewhere, or with another key, than its bare name says."""
    return one.base_url is not None or one.api_key_env is not None


def refusals(config: FusionConfig, *, profiles: Mapping[str, Profile], keyed: Collection[str] | None) -> Refusal:
    """What `choose` asks of every model: `None`, or why it is out.

    Args:
        config: `candidates`, `privacy`, `deny` and `require_open_weights`.
        profiles: What is known of models.
        keyed: Providers whose key is set; `None` plans as if all were.
    """
    named = configured(config)

    def refusal(model: str) -> str | None:
        if config.candidates == "configured" and model not in named:
            return "is not one of the configured models"
        one, provider = named.get(model) or Panelist(model=model), model.partition(":")[0]
        if config.privacy == "local" and not is_local(one):
            return "privacy is local, and it is not"
        if pattern := banned_by(one, config.deny, profiles):
            return f"denied by '{pattern}'"
        profile = profile_of(model, profiles)
        if config.require_open_weights and not (profile and profile.open_weights):
            return "its weights are not known to be open"
        if keyed is not None and provider in KEYS and provider not in keyed and not has_own_endpoint(one):
            return f"{KEYS[provider]} is not set"
        return None

    return refusal
