"""Casts: who judges and who writes where nobody is named, by what was measured of pairs over one panel.

A judge tends to favour what it wrote itself, and few models write up the answers of others well. What nobody measured
is not guessed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import product
from typing import NamedTuple

from fusion_tool.config.choices import SOLO
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.routing.candidates import RejectionRule, has_own_endpoint
from fusion_tool.routing.policy.allowed import call_usd
from fusion_tool.routing.policy.locality import is_local
from fusion_tool.routing.profiles import CastScore, Profile, last_successor, profile_of
from fusion_tool.routing.quality import largest_comparison, shares_of
from fusion_tool.routing.roles import bare_name

_GOOD = 0.95
"""The share of the best known result in a role from which a model is good in it."""


class Cast(NamedTuple):
    """A configuration with its judge and its writer.

    Args:
        config: The configuration; the very same object where nobody had to be chosen.
        reason: Who was chosen, and why; `None` where nobody was.
        at_hand: Who could judge and who could write in place of the only model there is; empty for nobody.
    """

    config: FusionConfig
    reason: str | None = None
    at_hand: tuple[str, ...] = ()


def cast_roles(
    config: FusionConfig,
    *,
    profiles: Mapping[str, Profile],
    rejection_of: RejectionRule,
    unavailable: Collection[str],
    today: date,
) -> Cast:
    """Choose judge and writer by what is known of models in these roles, where neither is named.

    At hand are the seats' models and, of other families, those that are good in the role, are served by a provider that
    a seat is asked at, and cost no more than the dearest seat. A writer who is named gets a judge; a judge who is named
    also writes. Where nothing is known of anybody, or the panel has one model alone, nobody is chosen.

    Args:
        config: The run's configuration.
        profiles: What is known of models.
        rejection_of: Returns why a model may not be called; `None` where it may.
        unavailable: Models that do not answer at present.
        today: The day of the run.
    """
    evidence = _Evidence(profiles)
    if config.judge is not None or config.strategy == SOLO or not evidence.casts:
        return Cast(config)
    seats = _seats(config, profiles)
    reachable = _reachable(config, seats, evidence, rejection_of=rejection_of, unavailable=unavailable, today=today)
    others = [
        _Player(Panelist(model=name, fallbacks=_stand_in(config)), profile, is_seat=False)
        for name, profile in reachable
    ]
    if len(seats) == 1:
        chosen = evidence.best_pair(others, others)
        return Cast(config, at_hand=() if chosen is None else tuple(one.panelist.model_name for one in chosen))
    writers = [*others, *seats]
    if (named := config.synthesizer) is not None:
        writers = [_Player(named, profile_of(named.model_name, profiles), is_seat=True)]
    if (chosen := evidence.best_pair([*others, *seats], writers)) is None:
        return Cast(config)
    roles = {"judge": chosen[0].panelist, "synthesizer": chosen[1].panelist}
    return Cast(config.model_copy(update=roles), evidence.explain(*chosen, today))


class _Player(NamedTuple):
    """A model that could judge or write."""

    panelist: Panelist
    profile: Profile | None
    is_seat: bool

    @property
    def family(self) -> str:
        return self.profile.family if self.profile else bare_name(self.panelist)


def _seats(config: FusionConfig, profiles: Mapping[str, Profile]) -> list[_Player]:
    """Return the panel's models that may judge and write, each once and without the label of its seat."""
    seats: dict[str, _Player] = {}
    for seat in config.panel:
        player = _Player(seat.model_copy(update={"seat": None}), profile_of(seat.model_name, profiles), is_seat=True)
        if not _stays_local(config) or is_local(seat):
            seats.setdefault(bare_name(seat), player)
    return list(seats.values())


def _stays_local(config: FusionConfig) -> bool:
    """Return whether judge and writer, who read all answers and what came out of documents, must be local."""
    return config.documents_stay_local or config.privacy == "local"


def _stand_in(config: FusionConfig) -> tuple[str, ...]:
    """Return who judges and writes where the chosen one fails: the first seat, as if nobody had been chosen."""
    first = config.panel[0]
    return (first.model,) if isinstance(first.model, str) and not has_own_endpoint(first) else ()


def _reachable(  # noqa: PLR0913 - what a choice rests on is handed over
    config: FusionConfig,
    seats: Sequence[_Player],
    evidence: "_Evidence",
    *,
    rejection_of: RejectionRule,
    unavailable: Collection[str],
    today: date,
) -> Iterable[tuple[str, Profile]]:
    """Yield the models without a seat that could be asked, each by a name at a provider that a seat is asked at."""
    if _stays_local(config):
        return
    seated = [seat.panelist for seat in seats if not has_own_endpoint(seat.panelist)]
    names = [panelist.model for panelist in seated if isinstance(panelist.model, str)]
    providers, families = {name.partition(":")[0] for name in names}, {seat.family for seat in seats}
    dearest = max((usd for name in names if (usd := call_usd(name)) is not None), default=0.0)
    for profile in evidence.known:
        if profile.family in families or profile.is_retired(today) or profile.id in unavailable:
            continue
        served = [name for name in profile.names if name.partition(":")[0] in providers and name not in unavailable]
        name = next((name for name in served if rejection_of(name) is None), None)
        if name is not None and (usd := call_usd(name)) is not None and usd <= dearest:
            yield name, profile


class _Evidence:
    """What is known of models as judges and as writers, on one benchmark."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = profiles
        benchmarks: dict[str, dict[tuple[str, str], CastScore]] = {}
        rows = [(profile.id, row) for profile in profiles.values() for row in profile.writes]
        for writer, row in rows:
            # Whoever judges its own writing says little of either role.
            if row.stale_since is None and row.judge != writer:
                benchmarks.setdefault(row.benchmark, {})[row.judge, writer] = row
        self._has_stale = any(row.stale_since for _, row in rows)
        self.casts = largest_comparison(benchmarks.values())
        self._writers = shares_of(largest_comparison(self._columns(0).values()))
        models = dict.fromkeys(name for cast in self.casts for name in cast)
        self.known = [profiles[name] for name in models if name in profiles]

    def best_pair(self, judges: Sequence[_Player], writers: Sequence[_Player]) -> tuple[_Player, _Player] | None:
        """Return judge and writer, of two models; `None` where nothing is known of any of them.

        Of equal pairs the one whose writer, and then whose judge, comes first: the writer counts for more.
        """
        pairs = [
            (judge, writer)
            for writer, judge in product(writers, judges)
            if bare_name(judge.panelist) != bare_name(writer.panelist)
        ]
        ranked = [(rank, *pair) for pair in pairs if (rank := self._rank(*pair)) is not None]
        if not ranked or not any(self._is_known(one) for pair in pairs for one in pair):
            return None
        _, judge, writer = min(ranked, key=lambda pair: pair[0])
        return judge, writer

    def explain(self, judge: _Player, writer: _Player, today: date) -> str:
        """Return who judges and who writes, and on what that rests."""
        cast = self._cast(judge, writer)
        row = cast or max(self.casts.values(), key=lambda row: row.date)
        age = max(today - row.date, timedelta()).days
        rests = f"together {row.score:g} points" if cast else "by what is known of models in these roles"
        names = f"{judge.panelist.short_name} judges and {writer.panelist.short_name} writes"
        stale = "; not used: results of models that have changed since" if self._has_stale else ""
        return f"chosen as nobody was named: {names}, {rests} ({row.benchmark}, {age} days old){stale}"

    def _rank(self, judge: _Player, writer: _Player) -> tuple[float, ...] | None:
        """Return the rank of a pair, lower is better; `None` where a model without a seat is not good in its role."""
        as_writer, as_judge = self._share(writer, self._writers), self._judge_share(judge, writer)
        tiers = _tier(writer, as_writer), _tier(judge, as_judge)
        if tiers[0] is None or tiers[1] is None:
            return None
        cast = self._cast(judge, writer)
        together = cast.score if cast else 0
        return tiers[0], judge.family == writer.family, tiers[1], -together, -(as_writer or 0), -(as_judge or 0)

    def _is_known(self, one: _Player) -> bool:
        return self._share(one, {profile.id: 1.0 for profile in self.known}) is not None

    def _judge_share(self, judge: _Player, writer: _Player) -> float | None:
        """Return a judge's share of the best, beside this writer where several were compared so."""
        columns = self._columns(1)
        beside = columns.get(writer.profile.id, {}) if writer.profile else {}
        return self._share(judge, shares_of(beside if len(beside) > 1 else largest_comparison(columns.values())))

    def _columns(self, fixed: int) -> dict[str, dict[str, CastScore]]:
        """Return the casts by who judged (0) or wrote (1), each by the model in the other role."""
        columns: dict[str, dict[str, CastScore]] = {}
        for cast, row in self.casts.items():
            columns.setdefault(cast[fixed], {})[cast[1 - fixed]] = row
        return columns

    def _share(self, one: _Player, shares: Mapping[str, float]) -> float | None:
        """Return a model's share, else that of the best model which it succeeds; `None` where nobody measured it."""
        if one.profile is not None and one.profile.id in shares:
            return shares[one.profile.id]
        measured = ((self._profiles[name], share) for name, share in shares.items() if name in self._profiles)
        before = [share for model, share in measured if last_successor(model, self._profiles) == one.profile]
        return max(before, default=None)

    def _cast(self, judge: _Player, writer: _Player) -> CastScore | None:
        return self.casts.get((judge.profile.id, writer.profile.id)) if judge.profile and writer.profile else None


def _tier(one: _Player, share: float | None) -> int | None:
    """Return how gladly a model is taken for a role; `None` for one without a seat that is not good in it."""
    is_good = share is not None and share >= _GOOD
    if not one.is_seat:
        return 0 if is_good else None
    return 1 if is_good else 2 if share is None else 3
