"""Locality: which models and tools stay on this machine, and which models a model object reaches."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_tool.config.addresses import host_of, is_loopback
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.ollama import endpoint as ollama_endpoint
from fusion_tool.models.ollama import on_ollama_cloud
from fusion_tool.models.providers import with_model
from fusion_tool.routing.policy.restrict import Rejection, RestrictedConfig, restrict

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


def reachable_models(panelist: Panelist) -> Iterator[tuple[str, str | None]]:
    """Return the models that a call of the panelist may reach.

    Yields:
        Each model's name, `"provider:model"` where the provider is known, and its address where one is set.
    """
    if isinstance(panelist.model, str):
        # At an address of its own a colon in the model's name may be that of a tag, `qwen3:8b`, not of a provider.
        yield panelist.model if panelist.base_url is None else f":{panelist.served_name}", panelist.base_url
        return
    for model in unwrap_models(panelist.model):
        provider, url = provider_of(model), model_address(model)
        name = next((value for field in _NAMES if isinstance(value := getattr(model, field, None), str) and value), "")
        name = name.removeprefix("models/") or type(model).__name__  # as Google's package spells its models
        if provider == "openai" and url is not None:
            provider = ""  # OpenAI's client, at an endpoint of another's
        yield (f"{provider}:{name}" if provider else name), url


def unwrap_models(model: Any) -> Iterator[Any]:
    """Return the models inside bindings, retries and fallbacks; the model itself where it wraps none."""
    # By their fields, not by their classes: a wrapper of another package does as LangChain's do, and what looks like a
    # wrapper and is none only adds a model that has to be local, too.
    wrapped = [inner for field in _WITHIN if hasattr(inner := getattr(model, field, None), "ainvoke")]
    wrapped += [inner for inner in getattr(model, "fallbacks", None) or () if hasattr(inner, "ainvoke")]
    if not wrapped:
        yield model
    for inner in wrapped:
        yield from unwrap_models(inner)


def provider_of(model: Any) -> str:
    """Return LangChain's name of the provider whose package the model's class is from; empty where unknown."""
    # Base classes, too: a caller's subclass of a provider's model is in a module of the caller's.
    for cls in type(model).__mro__:
        if package := _PACKAGE.match(cls.__module__):
            if cls.__name__.startswith("Azure"):
                return "azure_openai"
            name = package[1] or package[2]
            return _PROVIDERS.get(name, name)
    return ""


def model_address(model: Any) -> str | None:
    """Return the address that is set for the model's endpoint; `None` where its package chooses it."""
    return next(
        (address for field in _ADDRESSES if isinstance(address := getattr(model, field, None), str) and address), None
    )


def runs_in_process(model: Any) -> bool:
    """Return whether the model computes its answers inside this process."""
    return any(_IN_PROCESS.match(cls.__module__) for cls in type(model).__mro__)


CURE = "use the preset 'local', or models of an Ollama on this machine (--preset ollama)"


def is_local(panelist: Panelist) -> bool:
    """Return whether the panelist's model, its fallbacks apart, is asked on this machine and nowhere else.

    Local are `local:` models, and those of an Ollama or another server at a loopback address. What such a server
    passes on is its operator's business, but for the models that Ollama by their name runs in its cloud. A model
    given as an object is local where it computes in this process, or its address is a loopback one.
    """
    if not isinstance(panelist.model, str):
        return all(_object_is_local(model) for model in unwrap_models(panelist.model))
    # Before the address: a local Ollama is asked, and passes the question on.
    if on_ollama_cloud(panelist.model):
        return False
    if panelist.base_url is not None:
        return is_loopback(host_of(panelist.base_url))
    match panelist.model.partition(":")[0]:
        case "local":
            return True
        case "ollama":
            return is_loopback(host_of(ollama_endpoint()))
        case _:
            return False


def require_local(config: FusionConfig, panel_tools: Sequence[Any] = ()) -> RestrictedConfig:
    """Restrict `config` so that nothing of the question leaves this machine.

    Only local models stay, in every role and among the fallbacks. There are no web tools, and tracers are shown no
    content. The documents and the sandboxed shell, which has no network, stay.

    Args:
        config: The run's configuration.
        panel_tools: The caller's own tools. They may send anything anywhere: only those are taken whose
            `metadata` says `{"local": True}`.

    Raises:
        ConfigError: No seat is local, or a tool is not known to be.
    """
    for tool in panel_tools:
        if not is_local_tool(tool):
            raise ConfigError(
                f"privacy = 'local', and '{_name(tool)}' may send the question away: leave it out or, if it does not, "
                'give it metadata={"local": True}',
                field="panel_tools",
            )
    restricted = restrict(config, _admit, cure=f"; {CURE}")
    # A query is made from the question, and a tracer shows it to a server: either would carry it away.
    changes = {"search": None, "trace_content": False}
    if all(getattr(restricted.config, name) == value for name, value in changes.items()):
        return restricted
    notes = restricted.notes if config.search is None else (*restricted.notes, "no web tools: privacy = 'local'")
    return RestrictedConfig(restricted.config.model_copy(update=changes), notes)


def local_models_of(panelist: Panelist) -> Panelist | None:
    """Return `panelist` with its local models alone, in their order; `None` where it has none."""
    panelists = [with_model(panelist, model) for model in (panelist.model, *panelist.fallbacks)]
    local = [other for other in panelists if is_local(other)]
    return local[0].model_copy(update={"fallbacks": tuple(other.model for other in local[1:])}) if local else None


def is_local_tool(tool: Any) -> bool:
    """Return whether the caller marked a tool as sending nothing away, by `metadata`; server tools have none."""
    metadata = getattr(tool, "metadata", None)
    return isinstance(metadata, Mapping) and metadata.get("local") is True


def _admit(panelist: Panelist) -> Panelist | Rejection:
    return panelist if is_local(panelist) else Rejection("privacy", "not on this machine, as privacy = 'local' wants")


def _object_is_local(model: Any) -> bool:
    if runs_in_process(model):
        return True
    url = model_address(model)
    # Without an address Ollama's package asks where `OLLAMA_HOST` says, which may be another machine.
    if provider_of(model) == "ollama" and url is None:
        url = ollama_endpoint()
    return is_loopback(host_of(url)) and not on_ollama_cloud(str(getattr(model, "model", "")))


def _name(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, Mapping) else getattr(tool, "name", None)
    return str(kind or type(tool).__name__)
