"""Callback handlers and a LangSmith client that are told what ran, and never what was said.

Parts: what is left of values and events, the client of a tracer, the handlers.

A handler is replaced by one of a subclass of its own class that shares its state: to LangChain, which asks for classes
before it adds the tracers that the environment enables, it is the handler itself. Events that are nothing but text, and
those that this package does not know, do not reach it.

LangChain's agents wrap their middleware in such functions, and a caller's own tools may be some; under a run that a
tracer follows they use that tracer's client.
"""

import re
from asyncio import iscoroutinefunction
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, CallbackManager, Callbacks
from langchain_core.messages import AIMessage, ChatMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

_NAMES = frozenset(
    {"_type", "finish_reason", "id", "model", "model_name", "model_provider", "service_tier", "stop_reason"}
)
"""Keys of what a provider tells about a call whose texts say what ran, not what was said."""
_SETTINGS = frozenset({"invocation_params", "options"})
_WHOLE = frozenset({"run_id", "parent_run_id", "tags", "metadata", "name", "run_type", "tool_call_id"})
"""An event's arguments that hold no content; what a caller writes into tags and metadata is his to choose."""


def redact_argument(key: str, value: Any) -> Any:
    """Return what is left of an event's argument called `key`; `None` where nothing may be."""
    # By what is known to be harmless, not by what is known to be text: a new argument is withheld until it is listed.
    if key in _WHOLE or value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, LLMResult):
        return _reply(value)
    return _redact_value(value) if key in _SETTINGS else None


def _redact_value(value: Any, key: str = "") -> Any:
    """Return numbers, switches and known names, at any depth; `None` in place of all else."""
    if isinstance(value, dict):
        return {name: _redact_value(value, name) for name, value in value.items()}
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and key in _NAMES):
        return value
    return None


def class_name_only(serialized: Any) -> Any:
    """Return what kind of object runs, not how it was made: its arguments may hold prompts."""
    return {key: serialized[key] for key in ("lc", "type", "id", "name") if key in serialized} if serialized else None


def _prompts(batches: list[list[Any]]) -> list[list[ChatMessage]]:
    # The roles stay: how many turns a conversation had is its shape.
    return [[ChatMessage(content="", role=message.type) for message in batch] for batch in batches]


def _reply(result: LLMResult) -> LLMResult:
    generations = [[_generation(generation) for generation in batch] for batch in result.generations]
    return LLMResult(generations=generations, llm_output=_redact_value(result.llm_output))


def _generation(generation: Any) -> Generation:
    info = _redact_value(generation.generation_info)
    if not isinstance(generation, ChatGeneration):
        return Generation(text="", generation_info=info)
    usage, metadata = (
        getattr(generation.message, "usage_metadata", None),
        _redact_value(generation.message.response_metadata),
    )
    return ChatGeneration(
        message=AIMessage("", id=generation.message.id, usage_metadata=usage, response_metadata=metadata),
        generation_info=info,
    )


def _error_without_text(error: BaseException) -> BaseException:
    """Return an error of the same name; the text may quote a prompt or an answer, and the traceback holds both."""
    # A class of that name is what tracers show, and not every error can be made without its own arguments.
    of_that_name: type[Exception] = type(type(error).__name__, (Exception,), {})
    return of_that_name("its text is withheld")


def _nothing(_value: Any) -> dict[str, Any]:
    return {}


def _no_text(_value: Any) -> str:
    return ""


ARGUMENTS: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "on_chain_start": (class_name_only, _nothing),
    "on_chain_end": (_nothing,),
    "on_chain_error": (_error_without_text,),
    "on_chat_model_start": (class_name_only, _prompts),
    "on_llm_start": (class_name_only, lambda prompts: [""] * len(prompts)),
    "on_llm_new_token": (_no_text,),
    "on_llm_end": (_reply,),
    "on_llm_error": (_error_without_text,),
    "on_tool_start": (class_name_only, _no_text),
    "on_tool_end": (_no_text,),
    "on_tool_error": (_error_without_text,),
    "on_retriever_start": (class_name_only, _no_text),
    "on_retriever_end": (lambda _documents: [],),
    "on_retriever_error": (_error_without_text,),
}
"""The events that reach a content-free handler, and what is left of their own arguments, in their order."""


_LEFT: dict[str, Any] = {
    "inputs": lambda _: {},
    "outputs": lambda _: {},
    "attachments": lambda _: None,
    "error": lambda text: text and re.split(r"\W", text, maxsplit=1)[0],
    "events": lambda events: [{key: event[key] for key in ("name", "time") if key in event} for event in events or ()],
    "serialized": class_name_only,
}
"""What is left of the fields of a run that hold content; an error keeps its name, with which its text begins."""


class RedactingClient:
    """A `langsmith.Client` that sends runs without what was said."""

    def __init__(self, client: Any) -> None:
        self._client = client

    # All else that a tracer asks its client for, such as settings, holds nothing of a run.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_run(self, name: str, inputs: Any, run_type: Any, **more: Any) -> None:
        """Send a run without its inputs."""
        del inputs
        self._client.create_run(name, {}, run_type, **_redact_fields(more))

    def update_run(self, run_id: Any, **more: Any) -> None:
        """Send a run's end without its contents."""
        self._client.update_run(run_id, **_redact_fields(more))


# A descriptor: a tracer reads its `client` anew for every run that it sends.
class RedactingClientAttribute:
    """A tracer's `client`, content-free to whoever asks for it."""

    def __get__(self, tracer: Any, _owner: Any = None) -> Any:
        """Return the tracer's own client, behind one that holds back."""
        return self if tracer is None else RedactingClient(vars(tracer)["client"])

    def __set__(self, tracer: Any, client: Any) -> None:
        """Set the tracer's client, unwrapped where it is a redacting one."""
        vars(tracer)["client"] = vars(client).get("_client", client) if isinstance(client, RedactingClient) else client


def with_cost(on_llm_end: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Return a tracer's `_on_llm_end` that adds the call's cost to the run, which LangSmith does not know."""

    @wraps(on_llm_end)
    def with_metadata(self: Any, run: Any) -> None:
        messages = [
            generation["message"]["kwargs"]
            for batch in run.outputs["generations"]
            for generation in batch
            if "message" in generation
        ]
        costs = [message.get("response_metadata", {}).get("cost_usd") for message in messages]
        run.extra.setdefault("metadata", {})["cost_usd"] = costs[0] if costs else None
        on_llm_end(self, run)

    return with_metadata


def _redact_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: _LEFT[key](value) if key in _LEFT else value for key, value in fields.items()}


def redact_callbacks(callbacks: Callbacks) -> CallbackManager:
    """Return `callbacks`, and the handlers that the environment enables, content-free.

    Handlers of a caller's own stream stay as they are, and so do those of context variables, such as `collect_runs()`:
    who opens one around a run reads it himself.
    """
    # Configured here, so that the tracers of the environment are among the handlers that are replaced.
    manager = CallbackManager.configure(inheritable_callbacks=callbacks)
    # LangChain would add a reader again, beside its replacement, and so send it everything after all.
    readers = _caller_trace()
    for handlers in (manager.handlers, manager.inheritable_handlers):
        handlers[:] = [
            handler if any(handler is other for other in readers) else _mute(handler) for handler in handlers
        ]
    return manager


def _caller_trace() -> list[Any]:
    """Return the handlers in context variables: LangChain adds them again where it does not find these very objects."""
    from langchain_core.tracers.context import _configure_hooks

    return [variable.get() for variable, _, handler_class, _ in _configure_hooks if handler_class is None]


def _mute(handler: BaseCallbackHandler) -> BaseCallbackHandler:
    from langchain_core.tracers._streaming import _StreamingCallbackHandler

    if isinstance(handler, _StreamingCallbackHandler) or getattr(handler, "is_content_free", False):
        return handler
    # Without `__init__`, whose arguments nobody here knows.
    cls: Any = type(handler)
    muted: BaseCallbackHandler = object.__new__(_mute_class(cls))
    # Tracers keep their runs in attributes, some of them in slots: the copy shares them all.
    slots = {slot for base in cls.__mro__ for slot in base.__dict__.get("__slots__", ())}
    for slot in slots - {"__weakref__"} | {"__dict__"}:
        if hasattr(handler, slot):
            object.__setattr__(muted, slot, getattr(handler, slot))
    return muted


# One replacement for each class, however many runs its handlers follow.
@lru_cache(maxsize=64)
def _mute_class(cls: Any) -> Any:
    from langchain_core.tracers.langchain import LangChainTracer

    own: dict[str, Any] = {
        name: _redacting_hook(name, getattr(cls, name)) for name in dir(cls) if name.startswith("on_")
    }
    own |= {"is_content_free": True, "__module__": __name__}
    if issubclass(cls, LangChainTracer):
        own |= {"client": RedactingClientAttribute(), "_on_llm_end": with_cost(cls._on_llm_end)}
    return type(f"ContentFree{cls.__name__}", (cls,), own)


def _redacting_hook(event: str, hook: Callable[..., Any]) -> Callable[..., Any]:
    """Return the event's `hook`, called with what `ARGUMENTS` leaves; nothing for events that are not there."""
    cleaners = ARGUMENTS.get(event)

    @wraps(hook)
    def redacted(self: Any, *arguments: Any, **named: Any) -> Any:
        if cleaners is None:
            return None
        # An argument that a later LangChain adds has no cleaner, and is dropped.
        cleaned = [clean(value) for clean, value in zip(cleaners, arguments, strict=False)]
        return hook(self, *cleaned, **{key: redact_argument(key, value) for key, value in named.items()})

    @wraps(hook)
    async def redacted_async(self: Any, *arguments: Any, **named: Any) -> Any:
        pending = redacted(self, *arguments, **named)
        return pending if pending is None else await pending

    return redacted_async if iscoroutinefunction(hook) else redacted
