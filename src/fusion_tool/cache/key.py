"""What makes two calls the same."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from fusion_tool.config import Documents, FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.models.endpoints import PROVIDERS
from fusion_tool.stored import stored
from fusion_tool.version import version

_NO_MATTER = frozenset({"cache", "summary_tokens", "trace_content"})
"""Fields that change nothing of a result."""
_ENDPOINTS = ("OLLAMA_HOST", "SEARXNG_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE")
"""Variables that say who is asked, besides those of `PROVIDERS`."""


def key_of(question: str, context: str, config: FusionConfig, panel_tools: Sequence[Any]) -> str:
    """The key of a call: a hash of everything that its result depends on, but for chance and the hour.

    Raises:
        ConfigError: A model or tool is an object, or the documents cannot be read.
    """
    _refuse_objects(config, panel_tools)
    parts = {
        "question": question.strip(),
        "context": context,
        "config": {field: value for field, value in stored(config).items() if field not in _NO_MATTER},
        "tools": panel_tools,
        "documents": list(_state(config.documents)) if config.documents else None,
        "endpoints": [os.environ.get(name) for name in (*_ENDPOINTS, *(one.moved_by for one in PROVIDERS.values()))],
        "version": version(),
        "day": today(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def today() -> str:
    """The day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _refuse_objects(config: FusionConfig, panel_tools: Sequence[Any]) -> None:
    # Two objects of the same name may answer differently, and one of another tenant's may tell his secrets.
    for panelist in (*config.panel, config.judge_or_default, config.synthesizer_or_default):
        if not isinstance(panelist.model, str):
            raise ConfigError(
                f"{panelist.model_name!r} was given as an object, which the cache cannot tell from another one; "
                "name it as 'provider:model', or leave the cache off",
                field="cache",
            )
    for tool in panel_tools:
        if not isinstance(tool, dict):
            raise ConfigError(
                f"the cache cannot tell the tool {getattr(tool, 'name', tool)!r} from another one; leave it off",
                field="cache",
            )


def _state(documents: Documents) -> Iterator[tuple[str, str]]:
    """Each document, and what differs where its bytes may; one changed this moment does not even match itself."""
    from fusion_tool.documents.folder import candidates, readable_folder

    for one in candidates(readable_folder(documents.path)):
        yield one.key, one.signature or one.problem or str(time.time_ns())
