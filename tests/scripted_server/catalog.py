"""Lists of models: OpenAI's `/v1/models`, and what a running Ollama says it has."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from tests.scripted_server.script import Installed


def listed(models: Iterable[str | dict[str, Any]]) -> dict[str, Any]:
    """The body of `/v1/models`; of a model that is a dict its own fields."""
    rows = [{"id": model} if isinstance(model, str) else model for model in models]
    data = [{"object": "model", "created": 0, "owned_by": "scripted", **row} for row in rows]
    return {"object": "list", "data": data}


def tags(installed: Iterable[Installed]) -> dict[str, Any]:
    """The body of Ollama's `/api/tags`."""
    return {
        "models": [
            {
                "name": model.name,
                "model": model.name,
                "modified_at": "2026-01-01T00:00:00Z",
                "size": model.size,
                "digest": sha256(model.name.encode()).hexdigest(),
                "details": _details(model),
            }
            for model in installed
        ]
    }


def shown(name: object, installed: Sequence[Installed]) -> dict[str, Any] | None:
    """The body of Ollama's `/api/show` for the model called `name`, None where it is not installed."""
    for model in installed:
        if name in (model.name, model.name.removesuffix(":latest")):
            return {"details": _details(model), "capabilities": list(model.capabilities), "model_info": {}}
    return None


def _details(model: Installed) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": "Q4_K_M",
    }
