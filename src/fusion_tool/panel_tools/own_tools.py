"""The caller's own tools: their output is outside text like any other, and the exclusions bind it too."""

import re
from collections.abc import Iterable
from typing import Any

from langchain_core.messages import ToolMessage

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.panel_tools.kit import Kit
from fusion_tool.prompts import fence
from fusion_tool.web import blocked_by, is_excluded

_URL = re.compile(r"""https?://[^\s<>"'\])}]+""", re.IGNORECASE)
_WITHHELD = "(withheld: it names an excluded site or contains a blocked text)"
_HONOURS_EXCLUSIONS = re.compile(r"^web_search_\d+$")
"""Anthropic's server tool takes `blocked_domains`; the other providers' searches take no exclusions."""


def screened(message: Any, kit: Kit) -> tuple[Any, int]:
    """A tool's message, fenced, without the blocks that the exclusions forbid; and how many those were."""
    if not isinstance(message, ToolMessage):
        return message, 0
    blocks = message.content if isinstance(message.content, list) else [message.content]
    kept: list[str | dict[str, Any]] = []
    dropped = 0
    for block in blocks:
        text = block if isinstance(block, str) else str(block.get("text") or "")
        if forbidden(text, kit.config):
            dropped += 1
            kept.append(_WITHHELD)
        elif text:
            kept.append(fence(text, label=f"output of {message.name}", nonce=kit.nonce))
        else:
            kept.append(block)
    content = kept[0] if isinstance(message.content, str) and isinstance(kept[0], str) else kept
    return message.model_copy(update={"content": content}), dropped


def forbidden(text: str, config: FusionConfig) -> bool:
    """Whether `text` names an excluded site or contains a blocked fragment."""
    if config.blocked_fragments and blocked_by(text, config.blocked_fragments):
        return True
    return bool(config.excluded_domains) and any(
        is_excluded(url, config.excluded_domains) for url in _URL.findall(text)
    )


def with_exclusions(tools: Iterable[Any], config: FusionConfig) -> list[Any]:
    """`tools` with the exclusions passed on to providers' server tools that take them.

    Raises:
        ConfigError: Exclusions are set and a provider's own search cannot honour them.
    """
    if not config.excluded_domains and not config.blocked_fragments:
        return list(tools)
    return [_restricted(one, config) if isinstance(one, dict) else one for one in tools]


def _restricted(tool: dict[str, Any], config: FusionConfig) -> dict[str, Any]:
    kind = str(tool.get("type") or " ".join(tool)).lower()  # Google's have no type but their one key
    if _HONOURS_EXCLUSIONS.match(kind) and not config.blocked_fragments:
        return {**tool, "blocked_domains": [*tool.get("blocked_domains", []), *config.excluded_domains]}
    if any(word in kind for word in ("search", "fetch", "url_context", "urlcontext")):
        raise ConfigError(
            f"the provider's own '{kind}' cannot honour excluded_domains and blocked_fragments; "
            "use the package's web_search, or drop the exclusions",
            field="panel_tools",
        )
    return tool
