"""Which of a chat model's callbacks see the run inside it: those that keep a tree."""

from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.runnables import ensure_config
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.base import AsyncBaseTracer


def tracers_of(run: object) -> AsyncCallbackManager:
    """The callbacks of a run inside a chat model's call.

    Tracers nest it. Other handlers see one call of one model, with the whole bill: one that counts would count the
    tokens of the models inside again, and one that forwards tokens would forward drafts.

    Args:
        run: The call's run manager; where LangChain hands none over, as it does for streams, the run inside stands
            beside the call, under what encloses both.
    """
    if isinstance(run, BaseRunManager):
        inside = AsyncCallbackManager([], parent_run_id=run.run_id)
        inside.add_tags(run.inheritable_tags)
        inside.add_metadata(run.inheritable_metadata)
        handlers = run.inheritable_handlers
    else:
        inside = AsyncCallbackManager.configure(ensure_config().get("callbacks"))
        handlers = inside.inheritable_handlers
    inside.set_handlers([one for one in handlers if isinstance(one, BaseTracer | AsyncBaseTracer)])
    return inside
