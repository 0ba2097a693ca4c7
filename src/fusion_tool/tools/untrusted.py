"""Text from outside: put into fences, and screened by the exclusions.

The output of the caller's own tools is text from outside like any other, and the exclusions hold for it, too.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.types import Command

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.tools.exclusions import blocked_by, is_excluded


def fence(text: str, *, label: str, nonce: str) -> str:
    """Put `text` from outside between two lines that it cannot forge.

    Args:
        text: Untrusted text.
        label: The text's kind and origin, such as `answer A`, shown in the opening line.
        nonce: The run's random token; occurrences in the text are replaced, so that it cannot close the fence.
    """
    # Replaced, not removed: the text on both sides of a removed token could form it anew. The label is text from
    # outside, too, where it carries a page's title.
    inside, label = text.replace(nonce, "-"), " ".join(label.replace(nonce, "-").split())
    return f"<<<{nonce} begin {label}\n{inside}\n{nonce} end>>>"


def change_fenced(text: str, change: Callable[[list[str]], Sequence[str]], *, nonce: str) -> str:
    """Return `text` with what stands inside its fences changed, and the fences as they are.

    Args:
        text: A text with fences, as `fence` makes them.
        change: Returns as many texts as it gets, in their order.
        nonce: The token of the run's fences.
    """
    # What stands inside cannot close its fence, and so no match ends early.
    fences = re.compile(rf"(?<=^<<<{nonce} begin )([^\n]*\n)(.*?)(?=\n{nonce} end>>>)", re.DOTALL | re.MULTILINE)
    changed = iter(change([match[2] for match in fences.finditer(text)]))
    return fences.sub(lambda match: match[1] + next(changed).replace(nonce, "-"), text)


_URL = re.compile(r"""https?://[^\s<>"'\])}]+|(?<![\w./@-])(?://)?(?:[\w-]+\.)+[\w-]{2,}""", re.IGNORECASE)
_WITHHELD = "(withheld: it names an excluded site or contains a blocked text)"
_HONOURS_EXCLUSIONS = re.compile(r"^web_search_\d+$")
"""Anthropic's server tool takes `blocked_domains`; the other providers' searches take no exclusions."""


def screen_output(message: Any, *, config: FusionConfig, nonce: str) -> tuple[Any, int]:
    """Fence what a tool returned, and withhold the blocks that the exclusions forbid.

    Args:
        message: A tool message, or a command with tool messages; anything else is passed on as it is.
        config: The run's configuration, with the exclusions.
        nonce: The token of the run's fences.

    Returns:
        The message to show, and the number of its blocks that were withheld.
    """
    if isinstance(message, Command):
        return _screen_command(message, config, nonce)
    if not isinstance(message, ToolMessage):
        return message, 0
    blocks = [message.content] if isinstance(message.content, str) else message.content
    # Block by block: a search tool returns one for each hit, and one excluded hit must not cost the others.
    is_withheld = [is_forbidden(_text(block), config) for block in blocks]
    shown = [
        _WITHHELD if withheld else _fence_block(block, f"output of {message.name}", nonce)
        for block, withheld in zip(blocks, is_withheld, strict=True)
    ]
    if all(isinstance(block, str) for block in shown):  # the providers' lists hold objects
        return message.model_copy(update={"content": "\n\n".join(map(str, shown))}), sum(is_withheld)
    parts = [{"type": "text", "text": block} if isinstance(block, str) else block for block in shown]
    return message.model_copy(update={"content": parts}), sum(is_withheld)


def _screen_command(command: Command[Any], config: FusionConfig, nonce: str) -> tuple[Command[Any], int]:
    if not isinstance(command.update, dict) or "messages" not in command.update:
        return command, 0
    pairs = [screen_output(message, config=config, nonce=nonce) for message in command.update["messages"]]
    update = {**command.update, "messages": [message for message, _ in pairs]}
    return replace(command, update=update), sum(dropped for _, dropped in pairs)


def _text(block: Any) -> str:
    return block if isinstance(block, str) else json.dumps(block, ensure_ascii=False, default=str)


def _fence_block(block: Any, label: str, nonce: str) -> Any:
    text = block if isinstance(block, str) else block.get("text")
    return block if text is None else fence(str(text), label=label, nonce=nonce)


def is_forbidden(text: str, config: FusionConfig) -> bool:
    """Return whether `text` names an excluded site or contains a blocked fragment."""
    if config.blocked_fragments and blocked_by(text, config.blocked_fragments):
        return True
    plain = text.replace("\\/", "/")  # JSON may escape its slashes
    return bool(config.excluded_domains) and any(
        is_excluded(url, config.excluded_domains) for url in _URL.findall(plain)
    )


def apply_exclusions(tools: Iterable[Any], config: FusionConfig) -> list[Any]:
    """Pass the exclusions on to those providers' server tools among `tools` that take them.

    Raises:
        ConfigError: Exclusions are set and a provider's own search cannot honour them.
    """
    if not config.excluded_domains and not config.blocked_fragments:
        return list(tools)
    return [_restrict(tool, config) if isinstance(tool, dict) else tool for tool in tools]


def _restrict(tool: dict[str, Any], config: FusionConfig) -> dict[str, Any]:
    kind = str(tool.get("type") or " ".join(tool)).lower()  # Google's have no type but their one key
    if _HONOURS_EXCLUSIONS.match(kind) and not config.blocked_fragments:
        return {**tool, "blocked_domains": [*tool.get("blocked_domains", []), *config.excluded_domains]}
    # Refused by the sound of its name: a provider's new search tool must not slip past the exclusions as unknown.
    if kind == "mcp" or any(word in kind for word in ("search", "fetch", "url_context", "urlcontext")):
        raise ConfigError(
            f"the provider's own '{kind}' cannot honour excluded_domains and blocked_fragments; "
            "use the package's web_search, or drop the exclusions",
            field="panel_tools",
        )
    return tool
