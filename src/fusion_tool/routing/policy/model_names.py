"""The names of a model that a ban is matched against.

A ban errs on the side of the ban: where a name may stand for a vendor's model, it does.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from importlib import resources

from fusion_tool.config.schema import Panelist
from fusion_tool.models.providers import provider_of_url
from fusion_tool.routing.policy.locality import reachable_models
from fusion_tool.routing.profiles import Profile, profile_of

_VARIANT = re.compile(r":[\w-]+$")
_PARTS = re.compile(r"[/.:]")
"""What separates a vendor from the rest: `vendor/model`, and Bedrock's `us.vendor.model`."""


@dataclass(frozen=True)
class Vendor:
    """A row of `vendors.toml`, which explains the fields."""

    also: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    direct: str | None = None


@lru_cache(maxsize=1)
def vendors() -> Mapping[str, Vendor]:
    """Return the known vendors, by OpenRouter's name."""
    tables = tomllib.loads(resources.files(__package__).joinpath("vendors.toml").read_text("utf-8"))
    return {name: _vendor(**table) for name, table in tables.items()}


def _vendor(
    also: Sequence[str] = (), models: Sequence[str] = (), apis: Sequence[str] = (), direct: str | None = None
) -> Vendor:
    return Vendor(tuple(also), tuple(models), tuple(apis), direct)


def matching_ban(panelist: Panelist, patterns: tuple[str, ...], profiles: Mapping[str, Profile]) -> str | None:
    """Return the first of `patterns` that means the panelist's model; `None` where none does.

    Args:
        panelist: Its fallbacks do not count.
        patterns: Shell patterns of `vendor/model` or `provider:model`; a vendor's, provider's or model's name alone
            will do. Case does not matter, nor whether a version is written with dots or dashes, nor which of its
            names a vendor is called by.
        profiles: What is known of models.
    """
    if not patterns:
        return None
    names = all_names(panelist, profiles)
    return next((pattern for pattern in patterns if any(map(_expression(pattern).match, names))), None)


def all_names(panelist: Panelist, profiles: Mapping[str, Profile]) -> frozenset[str]:
    """Return every name of the panelist's model, in lower case: `vendor/model`, `provider:model`, and each part alone.

    Of a model given as an object, the names of all models that it wraps.
    """
    names: set[str] = set()
    for model, url in reachable_models(panelist):
        names |= _names(model.lower(), provider_of_url(url) if url else None)
        if (profile := profile_of(model, profiles)) is not None:
            short = {_with_dashes(name.rpartition("/")[2].rpartition(":")[2].lower()) for name in profile.names}
            names |= {profile.vendor, profile.family, *short, *(f"{profile.vendor}/{name}" for name in short)}
    return frozenset(names)


# Cached: every profile is asked for with every question, under each of its names.
@lru_cache(maxsize=512)
def _names(model: str, host: str | None) -> frozenset[str]:
    """Return the names of a model; `host` is the provider whose API it is asked at, `None` where unknown."""
    provider, colon, rest = model.partition(":")
    # After a slash the colon is a variant's, `vendor/model:free`, and there is no provider.
    if not colon or "/" in provider:
        provider, rest = "", model
    rest = rest.removeprefix("~")  # OpenRouter's mark of an alias for a vendor's latest model
    names = {model, rest, provider}
    # What is asked at a provider's address is that provider's model, whatever its prefix says.
    if host:
        names |= {host, f"{host}:{rest}"}
    for served in {rest, _VARIANT.sub("", rest)}:
        names |= {f"{provider}:{served}", f"{provider}/{served}"}
        short = served.rsplit("/", 1)[-1]
        bare = _bare(short)
        for vendor in _makers(host or provider, served, bare):
            names |= {vendor, *(f"{vendor}/{name}" for name in (served, short, bare))}
        names |= {short, bare}
    return frozenset((names | set(map(_with_dashes, names))) - {""})


def _makers(provider: str, served: str, bare: str) -> Iterator[str]:
    """Yield the vendors that may have made the model: by its name's parts, its name's beginning, its provider."""
    # Rather one too many than one too few: a ban must not be escaped by an unusual name.
    parts = {_canonical(part) for part in _PARTS.split(served)[:-1]}
    if "/" in served:
        yield _canonical(served.partition("/")[0])
    for name, vendor in vendors().items():
        if name in parts or provider in vendor.apis or bare.startswith(vendor.models):
            yield name


def _bare(short: str) -> str:
    """Return a name without Bedrock's region and vendor: `us.anthropic.claude-x` is `claude-x`."""
    # Only up to a known vendor: a version has dots, too.
    parts = short.split(".")
    vendor_parts = [i for i, part in enumerate(parts[:-1]) if _canonical(part) in vendors()]
    return ".".join(parts[vendor_parts[-1] + 1 :]) if vendor_parts else short


@lru_cache(maxsize=1)
def _spellings() -> Mapping[str, str]:
    return {alias: name for name, vendor in vendors().items() for alias in vendor.also}


def _canonical(vendor: str) -> str:
    return _spellings().get(vendor, vendor)


@lru_cache(maxsize=128)
def _expression(pattern: str) -> re.Pattern[str]:
    """Return a shell pattern's expression: the vendor also under OpenRouter's name, versions with dots or dashes."""
    plain = pattern.strip().lower()
    vendor, slash, model = plain.partition("/")
    spellings = {plain, f"{_canonical(vendor)}{slash}{model}"}
    return re.compile(
        "|".join(translate(spelling) for spelling in sorted(spellings | set(map(_with_dashes, spellings))))
    )


def _with_dashes(name: str) -> str:
    """Return a name with dashes in its version: `claude-opus-4.8` as Anthropic itself writes it."""
    return re.sub(r"(?<=\d)[.p](?=\d)", "-", name)
