"""What providers say they serve, and which models are about to go.

Protocols: OpenRouter's "List models" (`expiration_date`, pages by `links.next`), OpenAI's (`shutdown_date`), Mistral's
(`deprecation`), Groq's (`active`), Anthropic's (its own headers), Gemini's OpenAI-compatible one (`models/` in ids).
"""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import PROVIDERS, endpoint_of, fallback_of, key_name
from fusion_tool.routing.profiles import load_profiles, profile_of

if TYPE_CHECKING:
    import httpx

_OPENAI_URL = "https://api.openai.com/v1"
_LAST_DAYS = ("expiration_date", "shutdown_date", "deprecation")
_VARIANT = re.compile(r":[a-z]+$")
"""How OpenRouter is to serve a model, `:nitro`, say; not every such name is listed."""
_PATIENCE = 10.0
"""Seconds until a provider that does not answer counts as out of reach."""
_MOST_PAGES = 20


@dataclass(frozen=True)
class Listed:
    """One model of a list: whether it is deprecated, and its last day where that is announced."""

    deprecated: bool = False
    last_day: date | None = None


Listing: TypeAlias = Mapping[str, Listed]
"""The models of one provider, by the name under which it serves them."""


async def listings(panelists: Iterable[Panelist]) -> dict[str, Listing | str]:
    """The lists of all providers that serve `panelists`, by address; instead of a list, why there is none."""
    keys = {url: one for one in panelists if (url := address(one)) is not None}
    lists = await asyncio.gather(*(_listing(url, one) for url, one in keys.items()))
    return dict(zip(keys, lists, strict=True))


def address(panelist: Panelist) -> str | None:
    """Where the provider of a panelist's model lists what it serves; `None` where that is not known."""
    if (url := endpoint_of(panelist)) is None:
        name = panelist.model_name.partition(":")[0]
        provider = PROVIDERS.get(name)
        moved = os.environ.get("OPENAI_BASE_URL") if name == "openai" else None
        url = moved or (provider.endpoint() if provider else None) or (_OPENAI_URL if name == "openai" else None)
    return url.rstrip("/") if url else None


def found(panelist: Panelist, listing: Listing) -> Listed | None:
    """The panelist's model in the list; `None` where it is not in it. An alias, `~vendor/model-latest`, always is."""
    name = panelist.served_name
    if name.startswith("~"):
        return Listed()
    plain = _VARIANT.sub("", name) if "/" in name else name
    return next((listing[known] for known in (name, f"{name}:latest", plain) if known in listing), None)


async def _listing(url: str, panelist: Panelist) -> Listing | str:
    import httpx

    variable = key_name(panelist)
    key = os.environ.get(variable or "")
    if variable and not key and not panelist.model_name.startswith("openrouter:"):  # its list is open to all
        return f"{variable} is not set"
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, headers=_headers(panelist, key)) as client:
            return {_id(row): _listed(row) for row in await _rows(client, f"{url}/models")}
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TypeError, KeyError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return f"status {status}" if status else type(error).__name__


async def _rows(client: "httpx.AsyncClient", url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    host = urlsplit(url).netloc
    while len(seen) < _MOST_PAGES and url not in seen and urlsplit(url).netloc == host:  # the key goes nowhere else
        seen.add(url)
        body = (await client.get(url)).raise_for_status().json()
        if isinstance(body, list):  # Together's
            return rows + body
        rows += body["data"]
        url = urljoin(url, _following(url, body) or url)
    return rows


def _following(url: str, body: Mapping[str, Any]) -> str | None:
    if body.get("has_more") and body.get("last_id"):  # Anthropic's
        return f"{url.partition('?')[0]}?after_id={body['last_id']}"
    following = (body.get("links") or {}).get("next")  # OpenRouter's
    return str(following) if following else None


def _headers(panelist: Panelist, key: str | None) -> dict[str, str]:
    if not key:
        return {}
    if panelist.base_url is None and panelist.model_name.startswith("anthropic:"):
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return {"Authorization": f"Bearer {key}"}


def _id(row: Mapping[str, Any]) -> str:
    return str(row["id"]).removeprefix("models/")


def _listed(row: Mapping[str, Any]) -> Listed:
    last = next((day for field in _LAST_DAYS if (day := _day(row.get(field))) is not None), None)
    ended = row.get("active") is False or row.get("deprecated") is True
    return Listed(deprecated=ended or last is not None, last_day=last)


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        return None


SOON = timedelta(days=30)


@dataclass(frozen=True)
class Doubt:
    """One warning.

    Args:
        model: As the configuration or the profile names it; a provider's address where that gives no list.
        kind: `unlisted` is a list that could not be had.
        detail: The warning as one line.
        day: The model's last day, where it is known.
    """

    model: str
    kind: Literal["retires", "deprecated", "missing", "unlisted"]
    detail: str
    day: date | None = None


def candidates(config: FusionConfig) -> list[Panelist]:
    """Every model that `config` may call by name, fallbacks included, each once."""
    roles = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    named = [fallback_of(role, model) for role in roles for model in (role.model, *role.fallbacks)]
    return list({(one.model_name, one.base_url): one for one in named if isinstance(one.model, str)}.values())


def recorded(names: Iterable[str]) -> list[Panelist]:
    """The models of recorded calls; not those at an endpoint of their own, whose key only a configuration names."""
    return [Panelist(model=name) for name in names if ":" in name and " at " not in name]


def profiled() -> list[Panelist]:
    """Every model that has a profile, as it is called first."""
    return [Panelist(model=profile.names[0]) for profile in load_profiles().values()]


def retiring(models: Iterable[str], today: date) -> list[Doubt]:
    """Those of `models` whose profile says that they retire within 30 days, or have."""
    profiles = load_profiles()
    doubts = []
    for model in dict.fromkeys(models):
        profile = profile_of(model, profiles)
        day = profile.retires_on if profile else None
        if day is not None and day - today <= SOON:
            told = f"retired on {day}" if day <= today else f"retires on {day}, in {(day - today).days} days"
            doubts.append(Doubt(model, "retires", told, day))
    return doubts


async def unlisted(panelists: Iterable[Panelist]) -> list[Doubt]:
    """Those of `panelists` that their providers list as deprecated, or not at all; each provider is asked once."""
    asked = {(one.model_name, address(one)): one for one in panelists}
    lists = await listings(asked.values())
    refusals = [
        Doubt(url, "unlisted", f"its list of models could not be had: {why}")
        for url, why in lists.items()
        if isinstance(why, str)
    ]
    doubts = (_doubt(one, lists) for one in asked.values())
    return [*(doubt for doubt in doubts if doubt is not None), *refusals]


def _doubt(one: Panelist, lists: Mapping[str, Listing | str]) -> Doubt | None:
    url = address(one)
    listing = lists.get(url) if url else None
    if url is None or listing is None or isinstance(listing, str):
        return None
    match found(one, listing):
        case None:
            return Doubt(one.model_name, "missing", f"is not among the models that {url} lists")
        case Listed(deprecated=True, last_day=None):
            return Doubt(one.model_name, "deprecated", "is listed as deprecated")
        case Listed(deprecated=True, last_day=day):
            return Doubt(one.model_name, "deprecated", f"is listed as deprecated; its last day is {day}", day)
    return None
