"""The beginning of a prompt that the next request repeats: marked for the endpoints that want to be told where it ends.

Most providers find a repeated beginning by themselves. Anthropic wants `cache_control` on the block of content that
ends it; OpenRouter passes that on, and sends two requests to the same provider where they carry one `session_id`.

Protocol: Anthropic, "Prompt caching" (a write costs a quarter more, a read a tenth; tools and the schema of the output
come before the messages); OpenAI, "Prompt caching" (so does the schema); OpenRouter, "Prompt caching".
"""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Final, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable

from fusion_tool.config.schema import Panelist
from fusion_tool.models.faults import AskOtherwiseError, to_fault
from fusion_tool.models.prompt import prompt_bytes
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.refusals import has_refused, remember_refusal
from fusion_tool.models.thinking import fit_blocks, model_mark

Ask: TypeAlias = Callable[[Runnable[Any, AIMessage], Sequence[BaseMessage]], Awaitable[AIMessage]]
"""Makes one attempt: the model, and the messages to send."""
_HINT: Final = "cache_control"
_WRITE_SURCHARGE = 4
"""A cached token costs more by one part in so many where it is written."""
_LEAST_BYTES = 4096
"""About 1,024 tokens: less is cached by neither OpenAI nor Anthropic."""


def mark_prefix(prefix: str, rest: str) -> HumanMessage:
    """Return a message of two parts, of which the next request repeats the first, and all before it."""
    parts: list[str | dict[str, Any]] = [
        {"type": "text", "text": prefix, _HINT: {"type": "ephemeral"}},
        {"type": "text", "text": rest},
    ]
    return HumanMessage(parts)


def spoils_prefix(panelist: Panelist, prompt: Sequence[BaseMessage]) -> bool:
    """Tell whether a schema or a tool would cost more than it is worth: it comes first, and nothing would be repeated.

    Args:
        panelist: Who is asked.
        prompt: The messages, with or without a marked beginning.
    """
    is_first = _takes_hints(panelist) or _vendor(panelist) == "openai"
    return is_first and any(len(prefix.encode(errors="replace")) >= _LEAST_BYTES for prefix in _prefixes(prompt))


class CacheablePrompt:
    """A prompt as its endpoint takes it: with marks, or as plain text.

    Args:
        messages: The messages, as `mark_prefix` makes them or without marks.
        panelist: Who is asked.
    """

    def __init__(self, messages: Sequence[BaseMessage], panelist: Panelist) -> None:
        self._messages, self._panelist = fit_blocks(messages, panelist), panelist
        self._prefixes, self._takes_hints = _prefixes(messages), _takes_hints(panelist)
        # Anybody's own model object, or address, may take no such field.
        is_own = panelist.base_url is not None or not isinstance(panelist.model, str)
        self._is_routed = not is_own and panelist.model_name.startswith("openrouter:")

    @property
    def size(self) -> int:
        """The prompt's length in bytes, with what it costs to be written to a cache."""
        size = prompt_bytes(self._plain())
        return size + (sum(map(len, map(str.encode, self._prefixes))) // _WRITE_SURCHARGE if self._is_hinted else 0)

    def send(self, model: Runnable[Any, AIMessage], ask: Ask) -> Awaitable[AIMessage]:
        """Make one attempt by `ask`.

        Raises:
            AskOtherwiseError: The endpoint refused the mark; the next attempt does without.
            Exception: As `ask`.
        """
        if self._is_routed and self._prefixes:
            # A hash: one run's judge and writer have the same, and nothing can be read from it.
            model = model.bind(session_id=sha256("".join(self._prefixes).encode()).hexdigest())
        return self._send_hinted(model, ask) if self._is_hinted else ask(model, self._plain())

    async def _send_hinted(self, model: Runnable[Any, AIMessage], ask: Ask) -> AIMessage:
        try:
            return await ask(model, self._messages)
        except Exception as error:
            if not to_fault(error).rejects(_HINT):
                raise
            remember_refusal(model_mark(self._panelist), _HINT)
            raise AskOtherwiseError(error) from error

    @property
    def _is_hinted(self) -> bool:
        return bool(self._prefixes) and self._takes_hints and not has_refused(model_mark(self._panelist), _HINT)

    def _plain(self) -> list[BaseMessage]:
        return [_without_marks(message) for message in self._messages]


def _takes_hints(panelist: Panelist) -> bool:
    # At its address for OpenAI's clients Anthropic caches nothing.
    return _vendor(panelist) == "anthropic" and (
        panelist.model_name.startswith("openrouter:") or endpoint_for(panelist) is None
    )


def _vendor(panelist: Panelist) -> str:
    """Return whose API a request reaches; empty at an address of the user's own, where any server may answer."""
    if not isinstance(panelist.model, str):
        return "anthropic" if "ChatAnthropic" in {cls.__name__ for cls in type(panelist.model).__mro__} else ""
    provider, _, name = panelist.model_name.partition(":")
    if panelist.base_url is not None:
        return ""
    return name.lstrip("~").partition("/")[0] if provider == "openrouter" else provider


def _prefixes(messages: Sequence[BaseMessage]) -> list[str]:
    return [str(part["text"]) for message in messages for part in _parts(message) if _HINT in part]


def _parts(message: BaseMessage) -> list[dict[str, Any]]:
    return [part for part in message.content if isinstance(part, dict)] if isinstance(message.content, list) else []


def _without_marks(message: BaseMessage) -> BaseMessage:
    parts = _parts(message)
    if not any(_HINT in part for part in parts):
        return message
    # As one text: many servers take nothing else.
    return message.model_copy(update={"content": "".join(str(part["text"]) for part in parts)})
