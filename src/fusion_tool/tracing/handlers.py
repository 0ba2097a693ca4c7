"""Content-free callback handlers.

A handler is replaced by one of a subclass of its own class that shares its state: to LangChain, which asks for classes
before it adds the tracers that the environment enables, it is the handler itself. Events that are nothing but text, and
those that this package does not know, do not reach it.
"""

from asyncio import iscoroutinefunction
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, CallbackManager, Callbacks

from fusion_tool.tracing.client import ClientOfTracer, with_cost
from fusion_tool.tracing.events import ARGUMENTS, left_of


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
    for slot in slots - {"__weakref__"} | {"__dict__"}:
        if hasattr(handler, slot):
            object.__setattr__(muted, slot, getattr(handler, slot))
    return muted


@lru_cache(maxsize=64)
def _muted_class(cls: Any) -> Any:
    from langchain_core.tracers.langchain import LangChainTracer

    own: dict[str, Any] = {name: _cleaned(name, getattr(cls, name)) for name in dir(cls) if name.startswith("on_")}
    own |= {"is_content_free": True, "__module__": __name__}
    if issubclass(cls, LangChainTracer):
        own |= {"client": ClientOfTracer(), "_on_llm_end": with_cost(cls._on_llm_end)}
    return type(f"ContentFree{cls.__name__}", (cls,), own)


def _cleaned(event: str, hook: Callable[..., Any]) -> Callable[..., Any]:
    """The event's `hook`, called with what `ARGUMENTS` leaves; nothing for events that are not there."""
    cleaners = ARGUMENTS.get(event)

    @wraps(hook)
    def called(self: Any, *given: Any, **more: Any) -> Any:
        if cleaners is None:
            return None
        kept = [clean(one) for clean, one in zip(cleaners, given, strict=False)]
        return hook(self, *kept, **{key: left_of(key, value) for key, value in more.items()})

    @wraps(hook)
    async def awaited(self: Any, *given: Any, **more: Any) -> Any:
        pending = called(self, *given, **more)
        return pending if pending is None else await pending

    return awaited if iscoroutinefunction(hook) else called
