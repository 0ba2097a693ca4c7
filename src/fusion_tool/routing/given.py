"""What is known of a model that was given as an object: its provider, its name, where it is asked."""

import re
from collections.abc import Iterator
from typing import Any

from fusion_tool.config import Panelist

_WITHIN = ("bound", "runnable", "default")
"""Where LangChain's wrappers keep what they wrap: bindings, retries, fallbacks, configurable alternatives."""
_NAMES = ("model_name", "model", "model_id", "deployment_name", "azure_deployment", "repo_id")
_ADDRESSES = ("base_url", "openai_api_base", "azure_endpoint", "endpoint_url")
_PACKAGE = re.compile(r"^langchain_(?!core|community|classic)(\w+)|^langchain_community\.chat_models\.(\w+)")
_PROVIDERS = {"aws": "bedrock"}
_IN_PROCESS = re.compile(
    r"^(fusion_tool\.testing|langchain_core\.language_models\.fake\w*"
    r"|langchain_community\.chat_models\.(llamacpp|mlx|fake))$"
)
"""Modules of models that run inside this process."""


def given(panelist: Panelist) -> Iterator[tuple[str, str | None]]:
    """The models that a call of the panelist may reach.

    Yields:
        Each model's name, `"provider:model"` where the provider is known, and its address where one is set.
    """
    if isinstance(panelist.model, str):
        # At an endpoint of one's own the part before the colon may be a tag's: `qwen3:8b`.
        yield panelist.model if panelist.base_url is None else f":{panelist.served_name}", panelist.base_url
        return
    for model in wrapped(panelist.model):
        provider, url = provider_of(model), address_of(model)
        name = next((one for field in _NAMES if isinstance(one := getattr(model, field, None), str) and one), "")
        name = name.removeprefix("models/") or type(model).__name__  # as Google's package spells its models
        if provider == "openai" and url is not None:
            provider = ""  # OpenAI's client, at an endpoint of another's
        yield (f"{provider}:{name}" if provider else name), url


def wrapped(model: Any) -> Iterator[Any]:
    """The models inside bindings, retries and fallbacks; the model itself where it wraps none."""
    inner = [one for field in _WITHIN if hasattr(one := getattr(model, field, None), "ainvoke")]
    inner += [one for one in getattr(model, "fallbacks", None) or () if hasattr(one, "ainvoke")]
    if not inner:
        yield model
    for one in inner:
        yield from wrapped(one)


def provider_of(model: Any) -> str:
    """Whose package the model's class comes from, by LangChain's name of the provider; empty where unknown."""
    for cls in type(model).__mro__:
        if found := _PACKAGE.match(cls.__module__):
            if cls.__name__.startswith("Azure"):
                return "azure_openai"
            name = found[1] or found[2]
            return _PROVIDERS.get(name, name)
    return ""


def address_of(model: Any) -> str | None:
    """The address that the model was given for its endpoint."""
    return next((one for field in _ADDRESSES if isinstance(one := getattr(model, field, None), str) and one), None)


def runs_in_process(model: Any) -> bool:
    """Whether the model computes its answers inside this process."""
    return any(_IN_PROCESS.match(cls.__module__) for cls in type(model).__mro__)
