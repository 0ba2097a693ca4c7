"""Profiles of models: shipped as data, extended and corrected by the user's files, read once."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date as Date  # noqa: N812 - a field below is named date
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import Field

from fusion_tool.budget.pricing import is_priced
from fusion_tool.config.base import ConfigModel
from fusion_tool.config.storage import config_path, modified_at, read_toml
from fusion_tool.errors import ConfigError
from fusion_tool.routing.classifier.signals import Domain

_Text = Annotated[str, Field(min_length=1)]
_PROVIDER = re.compile(r"[^/:]+:")
"""What stands before the first colon, unless a slash comes first: then the colon begins a variant."""


class Score(ConfigModel):
    """One result of a model on a benchmark.

    Args:
        score: Points of 100.
        benchmark: Only scores of the same benchmark are compared.
        source: Who published it.
        date: When it was published.
        measured: Whether it comes from the user's own evaluation, which is preferred to published scores.
        stale_since: The day on which a watch found the model changed, from which the score is not used; else `None`.
    """

    score: float = Field(ge=0, le=100)
    benchmark: _Text
    source: _Text
    date: Date
    measured: bool = False
    stale_since: Date | None = None


class CastScore(Score):
    """One result of a panel whose answers one model judged and another one wrote up.

    Args:
        benchmark: Only results over the same tasks and the same panel have the same name.
        judge: The `Profile.id` of the judge.
    """

    judge: _Text


class Profile(ConfigModel):
    """The known facts of one model.

    Args:
        id: OpenRouter's slug, `"vendor/model"`, or `"provider:model"` for one that OpenRouter does not serve.
        vendor: Who makes it, as the slug names them.
        family: Models of one family tend to err alike.
        origin: ISO 3166 code of the vendor's country.
        open_weights: Whether its weights are published; `None` where unknown.
        context: Context window in tokens, `None` where unknown.
        tokens_per_second: How fast it writes, `None` where unknown.
        retires_on: The day from which its vendor no longer serves it, where one is set.
        successor: The `id` of the model that its vendor puts in its place, `None` where none is known.
        direct: Its name at the vendor's own API, `"provider:model"`.
        scores: Per domain, each benchmark's result.
        writes: Its results as the writer; as a judge it is known by the rows of others that name it.
    """

    id: _Text
    vendor: _Text
    family: _Text
    origin: str = Field(pattern="^[A-Z]{2}$")
    open_weights: bool | None = None
    context: int | None = Field(default=None, ge=1)
    tokens_per_second: float | None = Field(default=None, gt=0)
    retires_on: Date | None = None
    successor: _Text | None = None
    direct: str | None = Field(default=None, pattern=r"^[^/:]+:.")
    scores: Mapping[Domain, tuple[Score, ...]] = Field(default_factory=dict)
    writes: tuple[CastScore, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """How a panelist may call it, `"provider:model"`: through OpenRouter first, then its vendor's own API."""
        served = self.id if _PROVIDER.match(self.id) else f"openrouter:{self.id}"
        return (served,) if self.direct is None else (served, self.direct)

    def is_retired(self, today: Date) -> bool:
        """Return whether its vendor no longer serves it on `today`."""
        return self.retires_on is not None and self.retires_on <= today


SHIPPED_FILE = Path(__file__).with_name("profiles.toml")
OWN_FILE, MEASURED_FILE = "profiles.toml", "profiles.measured.toml"
"""In the user's configuration folder: additions and corrections, and over them what evaluations measured."""

_RETIRES_SOON = timedelta(days=30)

_VARIANT = re.compile(r":[\w-]+$")
"""How OpenRouter serves a model: `:free`, `:nitro`, `:batch`."""
_SNAPSHOT = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
"""The day that a vendor appends to a pinned model's name."""


def load_profiles(folder: Path | None = None) -> Mapping[str, Profile]:
    """Load the shipped profiles, the user's over them, and over both what evaluations measured; by `Profile.id`.

    They are read again only when a file has changed.

    Args:
        folder: Where the user's files are; by default this user's configuration folder.

    Raises:
        ConfigError: A file cannot be read, or has an unknown key, a wrong value, a model without a known price, or one
            whose successors lead to no profile or in a circle.
    """
    files = [(folder or config_path()) / name for name in (OWN_FILE, MEASURED_FILE)]
    return _merge(SHIPPED_FILE, tuple((path, modified_at(path)) for path in files))


def shipped_profiles() -> Mapping[str, Profile]:
    """Return the profiles that the package brings, without the user's; by `Profile.id`."""
    return _merge(SHIPPED_FILE, ())


def profile_of(model: str, profiles: Mapping[str, Profile]) -> Profile | None:
    """Return the profile of a model as a configuration names it, `None` where there is none.

    Args:
        model: `"openrouter:vendor/model"`, with or without a variant such as `:free`; an alias,
            `"openrouter:~vendor/model-latest"`; a vendor's own `"provider:model"`, pinned to a day or not; or a slug.
        profiles: As `load_profiles` returns them.
    """
    slug = model.removeprefix("openrouter:")
    plain = _VARIANT.sub("", slug) if "/" in slug else slug  # without a slash the colon follows a provider
    profile = profiles.get(slug) or profiles.get(plain)  # a variant may have a table of its own
    if profile is None:
        names = {model, _SNAPSHOT.sub("", model)}
        profile = next((profile for profile in profiles.values() if profile.direct in names), None)
    return profile


def last_successor(profile: Profile, profiles: Mapping[str, Profile]) -> Profile:
    """Return the model at the end of a model's successors: itself where it has none.

    Raises:
        ConfigError: They lead to a model without a profile, or in a circle.
    """
    line = [profile]
    while (successor := line[-1].successor) is not None:
        field = _path(line[-1].id, "successor")
        if successor not in profiles:
            raise ConfigError(f"there is no profile of {successor}", field=field)
        line.append(profiles[successor])
        if any(earlier.id == successor for earlier in line[:-1]):
            raise ConfigError(f"leads in a circle: {' -> '.join(model.id for model in line)}", field=field)
    return line[-1]


def retiring_models(models: Iterable[str], today: Date) -> dict[str, Date]:
    """Return those of `models` whose profile says that they retire within 30 days, or have; each with the day."""
    profiles = load_profiles()
    days = {model: profile.retires_on for model in models if (profile := profile_of(model, profiles)) is not None}
    return {model: day for model, day in days.items() if day is not None and day - today <= _RETIRES_SOON}


@lru_cache(maxsize=8)
def _merge(shipped: Path, files: tuple[tuple[Path, int | None], ...]) -> Mapping[str, Profile]:
    """Return the shipped profiles and `files` over them; when a file was written is part of the cache's key."""
    tables = tomllib.loads(shipped.read_text("utf-8"))
    profiles = {name: _profile(name, table, None, measured=False) for name, table in tables.items()}
    for path in (path for path, mtime in files if mtime is not None):
        tables = read_toml(path)
        for name, table in tables.items():
            try:
                profiles[name] = _profile(name, table, profiles.get(name), measured=path.name == MEASURED_FILE)
                # Only here: a price list of another day must not make the shipped profiles unreadable.
                _reject_unpriced(profiles[name])
            except ConfigError as error:
                raise ConfigError(f"{error.message} (in {path})", field=_path(name, error.field)) from None
        # After the whole file: a successor may stand below the model that it follows.
        for name in tables:
            try:
                last_successor(profiles[name], profiles)
            except ConfigError as error:
                raise ConfigError(f"{error.message} (in {path})", field=error.field) from None
    return MappingProxyType(profiles)  # read-only: all callers share the cached one


def _profile(name: str, table: Any, known: Profile | None, *, measured: bool) -> Profile:
    """Return the profile of a table, over what is `known` of the model."""
    if not isinstance(table, dict):
        raise ConfigError('expected a table a model: ["vendor/model"]')
    if "id" in table:
        raise ConfigError("the table's name is the id", field="id")
    scores = table.get("scores", {})
    if not isinstance(scores, dict):
        raise ConfigError("expected a table with a row a domain, or a list of rows", field="scores")
    # Rows are merged by what they are results on, the other keys replaced: who adds one score keeps the shipped ones.
    merged = dict(known.scores) if known else {}
    for domain, rows in scores.items():
        merged[domain] = _overlay(_rows(Score, f"scores.{domain}", rows, measured=measured), merged.get(domain, ()))
    casts = _rows(CastScore, "writes", table.get("writes", []), measured=measured)
    rows_of = {"scores": merged, "writes": _overlay(casts, known.writes if known else ())}
    return Profile(**{**(dict(known) if known else {}), **table, "id": name, **rows_of})


_Row = TypeVar("_Row", bound=Score)


def _rows(kind: type[_Row], field: str, rows: Any, *, measured: bool) -> list[_Row]:
    return [_row(kind, field, row, measured=measured) for row in (rows if isinstance(rows, list) else [rows])]


def _row(kind: type[_Row], field: str, row: Any, *, measured: bool) -> _Row:
    if not isinstance(row, dict):
        raise ConfigError("expected { score, benchmark, source, date }", field=field)
    try:
        return kind(**row, **({"measured": True} if measured else {}))
    except (ConfigError, TypeError) as error:
        name = getattr(error, "field", None) or "measured"
        raise ConfigError(getattr(error, "message", "is set by the file's name"), field=f"{field}.{name}") from None


def _overlay(new: Iterable[_Row], old: Iterable[_Row]) -> tuple[_Row, ...]:
    """Return `new` in place of older results on the same benchmark, of casts by the same judge, before the others."""
    rows = list(new)
    keys = {(row.benchmark, getattr(row, "judge", None)) for row in rows}
    return *rows, *(row for row in old if (row.benchmark, getattr(row, "judge", None)) not in keys)


def _reject_unpriced(profile: Profile) -> None:
    if not any(map(is_priced, profile.names)):
        raise ConfigError(
            f"has no known price as {' or '.join(profile.names)}; name it as the price list does, "
            'or give its "direct" name',
            field="id",
        )


def _path(name: str, field: str | None) -> str:
    return f'["{name}"]' if field is None else f'["{name}"].{field}'
