"""What is left of a callback event: which run, of what, how many tokens, how it ended; no text."""

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, ChatMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

_NAMES = frozenset(
    {"_type", "finish_reason", "id", "model", "model_name", "model_provider", "service_tier", "stop_reason"}
)
"""Keys of what a provider tells about a call whose texts say what ran, not what was said."""
_TOLD = frozenset({"invocation_params", "options"})
_WHOLE = frozenset({"run_id", "parent_run_id", "tags", "metadata", "name", "run_type", "tool_call_id"})
"""An event's arguments that hold no content; what a caller writes into tags and metadata is his to choose."""


def left_of(key: str, value: Any) -> Any:
    """What is left of an event's named argument."""
    if key in _WHOLE or value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, LLMResult):
        return _reply(value)
    return _told(value) if key in _TOLD else None


def _told(value: Any, key: str = "") -> Any:
    """Numbers, switches and known names, at any depth; `None` in place of all else."""
    if isinstance(value, dict):
        return {name: _told(one, name) for name, one in value.items()}
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and key in _NAMES):
        return value
    return None


def named(serialized: Any) -> Any:
    """What kind of object runs, not how it was made: its arguments may hold prompts."""
    return {key: serialized[key] for key in ("lc", "type", "id", "name") if key in serialized} if serialized else None


def _prompts(batches: list[list[Any]]) -> list[list[ChatMessage]]:
    return [[ChatMessage(content="", role=message.type) for message in batch] for batch in batches]


def _reply(result: LLMResult) -> LLMResult:
    said = [[_generation(one) for one in batch] for batch in result.generations]
    return LLMResult(generations=said, llm_output=_told(result.llm_output))


def _generation(one: Any) -> Generation:
    info = _told(one.generation_info)
    if not isinstance(one, ChatGeneration):
        return Generation(text="", generation_info=info)
    usage, told = getattr(one.message, "usage_metadata", None), _told(one.message.response_metadata)
    return ChatGeneration(
        message=AIMessage("", id=one.message.id, usage_metadata=usage, response_metadata=told), generation_info=info
    )


def _nameless(error: BaseException) -> BaseException:
    """An error of the same name; its text may quote a prompt or an answer, and its traceback the texts at hand."""
    of_that_name: type[Exception] = type(type(error).__name__, (Exception,), {})
    return of_that_name("its text is withheld")


def _nothing(_value: Any) -> dict[str, Any]:
    return {}


def _no_text(_value: Any) -> str:
    return ""


ARGUMENTS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "on_chain_start": (named, _nothing),
    "on_chain_end": (_nothing,),
    "on_chain_error": (_nameless,),
    "on_chat_model_start": (named, _prompts),
    "on_llm_start": (named, lambda prompts: [""] * len(prompts)),
    "on_llm_new_token": (_no_text,),
    "on_llm_end": (_reply,),
    "on_llm_error": (_nameless,),
    "on_tool_start": (named, _no_text),
    "on_tool_end": (_no_text,),
    "on_tool_error": (_nameless,),
    "on_retriever_start": (named, _no_text),
    "on_retriever_end": (lambda _documents: [],),
    "on_retriever_error": (_nameless,),
}
"""The events that a content-free handler is told of, and what is left of their own arguments, in their order."""
