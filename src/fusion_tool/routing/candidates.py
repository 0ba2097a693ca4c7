"""The models that may answer a question: how good each is at it, at what price, and why some are out."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeAlias

from fusion_tool.config import FusionConfig
from fusion_tool.estimate import BYTES_A_TOKEN
from fusion_tool.routing.expected import seat_seconds, seat_usd
from fusion_tool.routing.profile import Profile
from fusion_tool.routing.quality import Quality, qualities
from fusion_tool.routing.signals import Domain

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
