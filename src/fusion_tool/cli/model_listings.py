"""The providers' lists of the models that they serve, and warnings of models that are about to go.

Protocols: OpenRouter's "List models" (`expiration_date`, pages by `links.next`), OpenAI's (`shutdown_date`), Mistral's
(`deprecation`), Groq's (`active`), Anthropic's (its own headers), Gemini's OpenAI-compatible one (`models/` in ids).
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from fusion_tool.config.keys import read_key
from fusion_tool.config.network import LOCAL_MOUNTS, read_address
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import OPENAI_ADDRESS, PROVIDERS, endpoint_for, key_variable, with_model
from fusion_tool.routing.profiles import load_profiles, retiring_models

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
class ListedModel:
    """One model of a list.

    Args:
        deprecated: Whether it is, or has ended already.
        last_day: Its last day; `None` where none is announced.
    """

    deprecated: bool = False
    last_day: date | None = None


Listing: TypeAlias = Mapping[str, ListedModel]
"""The models of one provider, by the name under which it serves them."""


async def fetch_listings(panelists: Iterable[Panelist]) -> dict[str, Listing | str]:
    """Return the lists of all providers that serve `panelists`, by address; in place of a list, why there is none."""
    keys = {url: panelist for panelist in panelists if (url := address(panelist)) is not None}
    lists = await asyncio.gather(*(_fetch_listing(url, value) for url, value in keys.items()))
    return dict(zip(keys, lists, strict=True))


def address(panelist: Panelist) -> str | None:
    """Return the address at which the provider of a panelist's model lists its models; `None` where it has none."""
    if (url := endpoint_for(panelist)) is None:
        name = panelist.model_name.partition(":")[0]
        provider = PROVIDERS.get(name)
        moved = next(filter(None, map(read_address, OPENAI_ADDRESS)), _OPENAI_URL) if name == "openai" else None
        url = moved or (provider.endpoint() if provider else None)
    return url.rstrip("/") if url else None


def find_listed(panelist: Panelist, listing: Listing) -> ListedModel | None:
    """Return the panelist's model as `listing` has it; `None` where it is not in it."""
    name = panelist.served_name
    # An alias, `~vendor/model-latest`, stands for whichever model is served: it cannot be missing.
    if name.startswith("~"):
        return ListedModel()
    # Only with a vendor's slash: the tag of Ollama's `qwen3:8b` is part of the name.
    plain = _VARIANT.sub("", name) if "/" in name else name
    return next((listing[key] for key in (name, f"{name}:latest", plain) if key in listing), None)


async def _fetch_listing(url: str, panelist: Panelist) -> Listing | str:
    import httpx

    from fusion_tool.models.causes import address_cure, connection_cause

    variable = key_variable(panelist)
    key = read_key(variable)
    if variable and not key and not panelist.model_name.startswith("openrouter:"):  # its list is open to all
        return f"{variable} is not set"
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, headers=_headers(panelist, key), mounts=LOCAL_MOUNTS) as client:
            return {_id(row): _to_listed_model(row) for row in await _rows(client, f"{url}/models")}
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TypeError, KeyError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status and status != HTTPStatus.NOT_FOUND:
            return f"status {status}"
        if status:
            return f"nothing is served at {url}/models; {address_cure(panelist)}"
        if isinstance(error, httpx.HTTPError | OSError):
            return f"no connection to {url} ({connection_cause(error)}); {address_cure(panelist)}"
        return f"no list of models at {url}; {address_cure(panelist)}"


async def _rows(client: "httpx.AsyncClient", url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    urls: set[str] = set()
    host = urlsplit(url).netloc
    # A body names the next page: it must not lead the key to another host, nor in circles.
    while len(urls) < _MOST_PAGES and url not in urls and urlsplit(url).netloc == host:
        urls.add(url)
        body = (await client.get(url)).raise_for_status().json()
        if isinstance(body, list):  # Together's
            return rows + body
        rows += body["data"]
        url = urljoin(url, _next_page(url, body) or url)
    return rows


def _next_page(url: str, body: Mapping[str, Any]) -> str | None:
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
    return str(row["id"]).removeprefix("models/")  # Gemini's ids are paths


def _to_listed_model(row: Mapping[str, Any]) -> ListedModel:
    last_day = next((day for field in _LAST_DAYS if (day := _day(row.get(field))) is not None), None)
    has_ended = row.get("active") is False or row.get("deprecated") is True
    return ListedModel(deprecated=has_ended or last_day is not None, last_day=last_day)


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value)[:10])  # some write a time behind the date
    except ValueError:
        return None


@dataclass(frozen=True)
class ModelWarning:
    """A warning about one model, or about one provider's list.

    Args:
        model: The model, as the configuration or the profile names it; the provider's address for a list.
        kind: What is wrong; `unlisted` stands for a list that could not be fetched.
        detail: The warning as one line.
        day: The model's last day; `None` where it is not known.
    """

    model: str
    kind: Literal["retires", "deprecated", "missing", "unlisted"]
    detail: str
    day: date | None = None


def candidates(config: FusionConfig) -> list[Panelist]:
    """Return every model that `config` may call by name, fallbacks included, each once."""
    roles = config.roles
    models = [with_model(role, model) for role in roles for model in (role.model, *role.fallbacks)]
    return list(
        {
            (panelist.model_name, panelist.base_url): panelist for panelist in models if isinstance(panelist.model, str)
        }.values()
    )


def recorded_models(names: Iterable[str]) -> list[Panelist]:
    """Return the models of recorded calls, but for those at an endpoint of their own.

    Args:
        names: The models as the health store names them.
    """
    # The store writes "MODEL at ADDRESS" for these, and only a configuration names the key of such an address.
    return [Panelist(model=name) for name in names if ":" in name and " at " not in name]


def profiled_models() -> list[Panelist]:
    """Return every model that has a profile, under the first of its names."""
    return [Panelist(model=profile.names[0]) for profile in load_profiles().values()]


def retirement_warnings(models: Iterable[str], today: date) -> list[ModelWarning]:
    """Return a warning for each of `models` whose profile says that it retires within 30 days, or has."""
    return [
        ModelWarning(
            model,
            "retires",
            f"retired on {day}" if day <= today else f"retires on {day}, in {(day - today).days} days",
            day,
        )
        for model, day in retiring_models(models, today).items()
    ]


async def unlisted_models(panelists: Iterable[Panelist]) -> list[ModelWarning]:
    """Return a warning for each of `panelists` that its provider lists as deprecated, or not at all.

    Each provider is asked once; one whose list cannot be fetched is a warning, too.
    """
    models = {(panelist.model_name, address(panelist)): panelist for panelist in panelists}
    lists = await fetch_listings(models.values())
    list_warnings = [
        ModelWarning(url, "unlisted", f"its list of models could not be had: {why}")
        for url, why in lists.items()
        if isinstance(why, str)
    ]
    model_warnings = (_warning_for(panelist, lists) for panelist in models.values())
    return [*(warning for warning in model_warnings if warning is not None), *list_warnings]


def _warning_for(panelist: Panelist, lists: Mapping[str, Listing | str]) -> ModelWarning | None:
    url = address(panelist)
    listing = lists.get(url) if url else None
    if url is None or listing is None or isinstance(listing, str):
        return None
    match find_listed(panelist, listing):
        case None:
            return ModelWarning(panelist.model_name, "missing", f"is not among the models that {url} lists")
        case ListedModel(deprecated=True, last_day=None):
            return ModelWarning(panelist.model_name, "deprecated", "is listed as deprecated")
        case ListedModel(deprecated=True, last_day=day):
            return ModelWarning(
                panelist.model_name, "deprecated", f"is listed as deprecated; its last day is {day}", day
            )
    return None
