"""Runs whose tracers see what ran, how long it took and what it cost, but nothing that was said.

A callback handler is replaced by one of a subclass of its own class that shares its state: to LangChain, which asks for
classes before it adds the tracers that the environment enables, it is the handler itself. Events reach it with their
run, parent, name, tags, metadata, model and counts, and without texts. Those that are nothing but text, and those that
this module does not know, do not reach it.
"""

from asyncio import iscoroutinefunction
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, CallbackManager, Callbacks
from langchain_core.messages import AIMessage, ChatMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

_NAMES = frozenset(
    {"_type", "finish_reason", "id", "model", "model_name", "model_provider", "name", "service_tier", "stop_reason"}
)
"""Keys whose texts say what ran, not what was said."""
_WHOLE = frozenset({"run_id", "parent_run_id", "tags", "metadata", "name", "run_type", "tool_call_id"})
"""An event's arguments that hold no content; what a caller writes into tags and metadata is his to choose."""


def content_free(callbacks: Callbacks) -> CallbackManager:
    """`callbacks`, and the handlers that the environment enables, content-free.

    Handlers of a caller's own stream stay as they are, and so do those of context variables, such as `collect_runs()`:
    who opens one around a run reads it himself.
    """
    manager = CallbackManager.configure(inheritable_callbacks=callbacks)
    readers = _opened_by_the_caller()
    for handlers in (manager.handlers, manager.inheritable_handlers):
        handlers[:] = [one if any(one is other for other in readers) else _muted(one) for one in handlers]
    return manager


def _opened_by_the_caller() -> list[Any]:
    """The handlers in context variables, which LangChain adds again wherever it does not find these very objects."""
    from langchain_core.tracers.context import _configure_hooks

    return [variable.get() for variable, _, handler_class, _ in _configure_hooks if handler_class is None]


def _muted(handler: BaseCallbackHandler) -> BaseCallbackHandler:
    from langchain_core.tracers._streaming import _StreamingCallbackHandler

    if isinstance(handler, _StreamingCallbackHandler) or getattr(handler, "is_content_free", False):
        return handler
    cls: Any = type(handler)
    muted: BaseCallbackHandler = object.__new__(_muted_class(cls))
    slots = {slot for one in cls.__mro__ for slot in one.__dict__.get("__slots__", ())}
    for slot in slots | {"__dict__"}:
        if hasattr(handler, slot):
            object.__setattr__(muted, slot, getattr(handler, slot))
    return muted


@lru_cache(maxsize=64)
def _muted_class(cls: Any) -> Any:
    hooks = {name: _cleaned(name, getattr(cls, name)) for name in dir(cls) if name.startswith("on_")}
    return type(f"ContentFree{cls.__name__}", (cls,), {**hooks, "is_content_free": True, "__module__": __name__})


def _cleaned(event: str, hook: Callable[..., Any]) -> Callable[..., Any]:
    """The event's `hook`, called with what `_ARGUMENTS` leaves; nothing for events that are not there."""
    cleaners = _ARGUMENTS.get(event)

    @wraps(hook)
    def called(self: Any, *given: Any, **more: Any) -> Any:
        if cleaners is None:
            return None
        kept = [clean(one) for clean, one in zip(cleaners, given, strict=False)]
        return hook(self, *kept, **{key: _kept(key, value) for key, value in more.items()})

    @wraps(hook)
    async def awaited(self: Any, *given: Any, **more: Any) -> Any:
        pending = called(self, *given, **more)
        return pending if pending is None else await pending

    return awaited if iscoroutinefunction(hook) else called


def _kept(key: str, value: Any) -> Any:
    if key in _WHOLE:
        return value
    return _reply(value) if isinstance(value, LLMResult) else _figures(value)


def _figures(value: Any, key: str = "") -> Any:
    """Numbers, switches and names, at any depth; `None` in place of all else."""
    if isinstance(value, dict):
        return {name: _figures(one, name) for name, one in value.items()}
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and key in _NAMES):
        return value
    return None


def _named(serialized: Any) -> Any:
    """What kind of object runs, not how it was made: its arguments may hold prompts."""
    return {key: serialized[key] for key in ("lc", "type", "id", "name") if key in serialized} if serialized else None


def _prompts(batches: list[list[Any]]) -> list[list[ChatMessage]]:
    return [[ChatMessage(content="", role=message.type) for message in batch] for batch in batches]


def _reply(result: LLMResult) -> LLMResult:
    said = [[_generation(one) for one in batch] for batch in result.generations]
    return LLMResult(generations=said, llm_output=_figures(result.llm_output))


def _generation(one: Any) -> Generation:
    info = _figures(one.generation_info)
    if not isinstance(one, ChatGeneration):
        return Generation(text="", generation_info=info)
    usage, told = getattr(one.message, "usage_metadata", None), _figures(one.message.response_metadata)
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


_ARGUMENTS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "on_chain_start": (_named, _nothing),
    "on_chain_end": (_nothing,),
    "on_chain_error": (_nameless,),
    "on_chat_model_start": (_named, _prompts),
    "on_llm_start": (_named, lambda prompts: [""] * len(prompts)),
    "on_llm_new_token": (_no_text,),
    "on_llm_end": (_reply,),
    "on_llm_error": (_nameless,),
    "on_tool_start": (_named, _no_text),
    "on_tool_end": (_no_text,),
    "on_tool_error": (_nameless,),
    "on_retriever_start": (_named, _no_text),
    "on_retriever_end": (lambda _documents: [],),
    "on_retriever_error": (_nameless,),
}
"""What is left of each event's own arguments, in their order."""
