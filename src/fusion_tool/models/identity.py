"""Which models are the user's own, by what name they are remembered, and what shows that they are still the same.

What an endpoint tells of a model stands in OpenAI's listing (`GET /models`), with fields of each server's own: vLLM's
`root` and `max_model_len`, llama.cpp's `meta`; Ollama's `created` is the time of the model's file.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import httpx2

from fusion_tool.budget.pricing import is_priced
from fusion_tool.config.choices import OWN_PROVIDERS
from fusion_tool.config.keys import read_key
from fusion_tool.config.schema import Panelist
from fusion_tool.models.clients import http_client
from fusion_tool.models.local.catalog import local_model
from fusion_tool.models.ollama import on_ollama_cloud
from fusion_tool.models.providers import endpoint_for, has_own_server, key_variable, place_of

_LISTING_SECONDS = 3.0
_TELLING = ("root", "parent", "max_model_len", "meta", "digest", "quantization")
"""The fields of a listing that belong to the model; others have the time of the request in them."""
_OLLAMAS = "library"


@dataclass(frozen=True)
class ModelIdentity:
    """One of the user's own models.

    Args:
        key: Where it is: its file, or its endpoint and name.
        version: What changes with the model behind `key`; `None` where nothing shows it.
    """

    key: str
    version: str | None

    def may_be(self, version: str | None) -> bool:
        """Tell whether the model of `version` may be this one: what does not show is no change."""
        return None in (version, self.version) or version == self.version


def model_key(panelist: Panelist) -> str | None:
    """Return where the panelist's model is, which names it between processes; `None` where it is not the user's own.

    Not the user's own are vendors' models, also behind a gateway on this machine: what is known of them is data.
    """
    if not isinstance(panelist.model, str) or not has_own_server(panelist) or on_ollama_cloud(panelist.model):
        return None
    is_ours = panelist.model.partition(":")[0] in OWN_PROVIDERS
    return place_of(panelist) if is_ours or not is_priced(panelist.model) else None


async def identify(panelist: Panelist) -> ModelIdentity | None:
    """Return which model it is now; `None` where it is not the user's own. An endpoint is asked for its listing."""
    key = await asyncio.to_thread(model_key, panelist)
    if key is None:
        return None
    url = endpoint_for(panelist)
    if url is None:
        return ModelIdentity(key, await asyncio.to_thread(_file_version, panelist))
    return ModelIdentity(key, await _listed_version(url, panelist))


def _file_version(panelist: Panelist) -> str | None:
    try:
        stat = local_model(panelist.model_name.partition(":")[2]).path.stat()
    except OSError:  # the call tells
        return None
    return f"{stat.st_size} bytes of {stat.st_mtime_ns}"


async def _listed_version(url: str, panelist: Panelist) -> str | None:
    key = read_key(key_variable(panelist))
    try:
        reply = await (await http_client()).get(
            f"{url.rstrip('/')}/models",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=_LISTING_SECONDS,
        )
        rows = reply.raise_for_status().json()["data"]
        row = next(row for row in rows if row["id"] == panelist.served_name)
        told = {name: row[name] for name in _TELLING if row.get(name) is not None}
        if row.get("owned_by") == _OLLAMAS:
            told["created"] = row.get("created")
    # A listing is not needed for anything else: without one nothing shows whether the model is another.
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None
    return _digest(told) if told else None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
