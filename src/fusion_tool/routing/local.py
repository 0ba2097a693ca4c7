"""What stays on this machine: local models, and runs with `privacy = "local"`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.models.endpoints import fallback_of
from fusion_tool.models.ollama import endpoint as ollama_endpoint
from fusion_tool.panelist import Panelist
from fusion_tool.routing.given import address_of, provider_of, runs_in_process, wrapped
from fusion_tool.routing.narrow import Allowed, Barred, narrowed

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_CLOUD = re.compile(r"[:-]cloud$", re.IGNORECASE)
"""How Ollama names the models that it passes on to its own servers: `gpt-oss:120b-cloud`, `kimi-k2.5:cloud`."""
CURE = "use the preset 'local', or models of an Ollama on this machine (--preset ollama)"


def is_loopback(url: str) -> bool:
    """Whether the address means this machine: `localhost`, `127.0.0.1` or `::1`. No other name is looked up."""
    return (urlsplit(url).hostname or "").rstrip(".") in _HERE


def on_ollama_cloud(model: str) -> bool:
    """Whether Ollama runs the model on its own servers, by the model's name."""
    return bool(_CLOUD.search(model))


def is_local(panelist: Panelist) -> bool:
    """Whether the panelist's model, its fallbacks apart, is asked on this machine and nowhere else.

    Local are `local:` models, and those of an Ollama or another server at a loopback address. What such a server
    passes on is its operator's business, but for the models that Ollama by their name runs in its cloud. A model
    given as an object is local where it computes in this process, or its address is a loopback one.
    """
    if not isinstance(panelist.model, str):
        return all(_given_is_local(one) for one in wrapped(panelist.model))
    if on_ollama_cloud(panelist.model):
        return False
    if panelist.base_url is not None:
        return is_loopback(panelist.base_url)
    match panelist.model.partition(":")[0]:
        case "local":
            return True
        case "ollama":
            return is_loopback(ollama_endpoint())
        case _:
            return False


def require_local(config: FusionConfig, panel_tools: Sequence[Any] = ()) -> Allowed:
    """`config` as it must be for nothing of the question to leave this machine, checked before any call.

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
        if not stays_here(tool):
            raise ConfigError(
                f"privacy = 'local', and '{_name(tool)}' may send the question away: leave it out or, if it does not, "
                'give it metadata={"local": True}',
                field="panel_tools",
            )
    kept = narrowed(config, _admit, cure=f"; {CURE}")
    closed = {"search": None, "trace_content": False}
    if all(getattr(kept.config, name) == value for name, value in closed.items()):
        return kept
    notes = kept.notes if config.search is None else (*kept.notes, "no web tools: privacy = 'local'")
    return Allowed(kept.config.model_copy(update=closed), notes)


def local_part(one: Panelist) -> Panelist | None:
    """`one` with its local models alone, in their order; `None` where it has none."""
    local = [asked for model in (one.model, *one.fallbacks) if is_local(asked := fallback_of(one, model))]
    return local[0].model_copy(update={"fallbacks": tuple(other.model for other in local[1:])}) if local else None


def stays_here(tool: Any) -> bool:
    """Whether the caller says of a tool that it sends nothing away (`metadata`); a provider's server tool does."""
    metadata = getattr(tool, "metadata", None)
    return isinstance(metadata, Mapping) and metadata.get("local") is True


def _admit(one: Panelist) -> Panelist | Barred:
    return one if is_local(one) else Barred("privacy", "not on this machine, as privacy = 'local' wants")


def _given_is_local(model: Any) -> bool:
    if runs_in_process(model):
        return True
    url = address_of(model)
    if provider_of(model) == "ollama" and url is None:
        url = ollama_endpoint()
    return url is not None and is_loopback(url) and not on_ollama_cloud(str(getattr(model, "model", "")))


def _name(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, Mapping) else getattr(tool, "name", None)
    return str(kind or type(tool).__name__)
