"""From a `Panelist` to a chat model, and whether that can be made at all."""

import asyncio
import importlib.util
import os
from collections.abc import Collection, Iterable
from importlib import import_module
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from fusion_tool.config.choices import OWN_PROVIDERS
from fusion_tool.config.keys import first_key_cure, missing_key, read_key, remember_key
from fusion_tool.config.network import check_network, read_address
from fusion_tool.config.schema import Panelist
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError
from fusion_tool.models.abilities import recall_abilities
from fusion_tool.models.clients import http_client, model_cache
from fusion_tool.models.http import unused_client
from fusion_tool.models.local.catalog import model_of
from fusion_tool.models.providers import (
    OPENAI_ADDRESS,
    PROVIDERS,
    endpoint_for,
    key_variable,
    providers_with_key,
    with_model,
)

_NO_KEY = "none"
"""OpenAI's client wants some key; a server without keys ignores it."""


async def chat_model(panelist: Panelist) -> BaseChatModel:
    """Return the chat model of a panelist; it is built once for each event loop.

    Raises:
        ConfigError: The provider is unknown, its package is not installed, or its key is missing.
    """
    if not isinstance(panelist.model, str):
        model_object: BaseChatModel = panelist.model
        for secret in vars(model_object).values():
            if isinstance(secret, SecretStr):
                remember_key(secret.get_secret_value())
        return model_object
    cache = await model_cache()
    # Label and fallbacks do not change the client: two seats with one model share it, and its connections.
    identity = tuple(value for name, value in panelist if name not in ("seat", "fallbacks"))
    # With what the environment says now: a key or an address that was changed since must not find the old model.
    key = (identity, endpoint_for(panelist), read_key(key_variable(panelist)))
    if key not in cache:
        cache[key] = await _build(panelist)
    elif (local := model_of(panelist)) is not None:
        from fusion_tool.models.local.server import serve

        await serve(local.name)  # which waits where its server died, and is begun again
    model: BaseChatModel = cache[key]
    return model


def check_models(panelists: Iterable[tuple[str, Panelist]], *, keyed: Collection[str] = ()) -> None:
    """Check before any call that every model, fallbacks included, can be made.

    Args:
        panelists: Pairs of the field that names the panelist in an error, such as `"panel.0"`, and the panelist.
        keyed: Providers to treat as having a key.

    Raises:
        ConfigError: Unknown provider, package not installed, missing key, local model not installed; an address, a
            proxy or a file of certificates in the environment that cannot be one.
    """
    check_network()
    for field, panelist in panelists:
        for name in (panelist.model, *panelist.fallbacks):
            if isinstance(name, str):
                _check(field, with_model(panelist, name), keyed)


def _check(field: str, panelist: Panelist, keyed: Collection[str]) -> None:
    provider, _, name = panelist.model.partition(":")
    if provider != "local" and endpoint_for(panelist) is None:
        _check_package(field, provider)
        for moved in OPENAI_ADDRESS if provider == "openai" else ():
            read_address(moved)
    if panelist.base_url is None and not name:
        raise ConfigError(f"'{panelist.model}' names no model; write 'provider:model'", field=f"{field}.model")
    variable = key_variable(panelist)
    is_keyed = panelist.base_url is None and provider in keyed
    if variable and not is_keyed and (missing := missing_key(variable)):
        # OpenRouter's is the default: who has no key at all need not set this one.
        if provider == "openrouter" and not panelist.api_key_env and not providers_with_key():
            missing = first_key_cure(variable)
        raise ConfigError(f"'{panelist.model}' needs a key: {missing}", field=f"{field}.model")
    if provider == "local" and panelist.base_url is None:
        from fusion_tool.models.local.catalog import require_model

        require_model(name, f"{field}.model")


def _check_package(field: str, provider: str) -> None:
    from langchain.chat_models.base import _BUILTIN_PROVIDERS  # the list that init_chat_model reads

    if provider not in _BUILTIN_PROVIDERS:
        names = sorted({*OWN_PROVIDERS, *PROVIDERS, *_BUILTIN_PROVIDERS})
        raise ConfigError(
            f"no provider '{provider}'{did_you_mean(provider, names)}; there are {', '.join(names)}, and any "
            "OpenAI-compatible server by base_url",
            field=f"{field}.model",
        )
    package = _BUILTIN_PROVIDERS[provider][0].split(".")[0]
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"'{provider}' needs a package: pip install {package.replace('_', '-')}", field=f"{field}.model"
        )


async def _build(panelist: Panelist) -> BaseChatModel:
    await recall_abilities(panelist)
    provider, _, name = panelist.model.partition(":")
    if (url := endpoint_for(panelist)) is not None:
        # At an address of its own a model's prefix says nothing: any server may answer there, under any name.
        row = PROVIDERS.get(provider) if panelist.base_url is None else None
        if row and provider != "openrouter":
            _check_reasoning(panelist, provider)
        return await _build_compatible(
            panelist,
            panelist.served_name,
            base_url=url,
            usage_accounting=row is PROVIDERS["openrouter"],  # its own request field, which others may refuse
            stream_usage=row is None or row.counts_streams,
        )
    if provider == "local":
        from fusion_tool.models.local.server import serve

        endpoint = await serve(name)
        return await _build_compatible(
            panelist, name, base_url=endpoint.url, key=endpoint.key, stream_usage=True, profile=endpoint.profile
        )
    return await _build_native(panelist, provider, name)


async def _build_compatible(
    panelist: Panelist, name: str, *, base_url: str, key: str | None = None, **extra: Any
) -> BaseChatModel:
    # In a thread: the first import takes a second, for which the loop, and so the other seats, would stand still.
    await asyncio.to_thread(import_module, "fusion_tool.models.openai_compatible")
    from fusion_tool.models.openai_compatible import OpenAICompatibleChat

    reasoning = {"extra_body": {"reasoning": {"effort": panelist.reasoning}}} if panelist.reasoning else {}
    return OpenAICompatibleChat(
        model=name,
        base_url=base_url,
        api_key=key or read_key(key_variable(panelist)) or _NO_KEY,
        http_async_client=await http_client(),
        http_client=unused_client(),
        http_socket_options=(),  # else it warns of proxies, which our client takes
        use_responses_api=False,  # some names of models would switch it on, and only OpenAI has that API
        max_retries=0,  # retries are ours: they know the run's deadline
        default_headers=_headers(panelist),
        **_sampling(panelist),
        **reasoning,
        **extra,
    )


async def _build_native(panelist: Panelist, provider: str, name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    options = _sampling(panelist) | await asyncio.to_thread(_no_retries, provider)
    _check_reasoning(panelist, provider)
    if panelist.reasoning:
        options["reasoning_effort"] = panelist.reasoning
    # The other packages bring clients of their own, which take none from outside.
    if provider == "openai":
        options |= {"http_async_client": await http_client(), "http_client": unused_client()}
        options |= {"http_socket_options": (), "stream_usage": True}
    variable = key_variable(panelist)
    # A provider's package reads its own variable, with the white space around the key, and no keys file.
    if (key := read_key(variable)) and (panelist.api_key_env or key != os.environ.get(variable or "")):
        options["api_key"] = key
    model: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
    return model


def _no_retries(provider: str) -> dict[str, int]:
    """Return the option that keeps a provider's package from retrying by itself, past the limits and the bill."""
    from langchain.chat_models.base import _BUILTIN_PROVIDERS

    module, name, _ = _BUILTIN_PROVIDERS[provider]
    fields = getattr(import_module(module), name).model_fields
    # Google's client counts attempts, and takes 0 for "as usual".
    return {"max_retries": int(provider.startswith("google"))} if "max_retries" in fields else {}


def _check_reasoning(panelist: Panelist, provider: str) -> None:
    if panelist.reasoning and provider != "openai":
        raise ConfigError(f"'reasoning' is for openai and openrouter models, not {provider}", field="reasoning")


def _headers(panelist: Panelist) -> dict[str, str]:
    # By it another fusion server knows that it is asked to be a seat of this run, and refuses.
    return {"Fusion-Depth": "1"} if panelist.base_url else {}


def _sampling(panelist: Panelist) -> dict[str, Any]:
    values = {name: getattr(panelist, name) for name in ("temperature", "seed", "max_tokens")}
    return {name: value for name, value in values.items() if value is not None}
