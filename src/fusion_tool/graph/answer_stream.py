"""The answer in LangGraph's stream mode `messages`: pieces of the one message that the run ends with.

LangGraph streams what chat models write. The synthesizer's own words are kept out of it (`nostream`), since their
citations are ids; in their place come the pieces that the events have, in the order of the final text.
"""

import uuid
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager, CallbackManager
from langchain_core.callbacks.manager import CallbackManagerForLLMRun
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, LLMResult
from langchain_core.runnables.config import get_callback_manager_for_config
from langgraph.config import get_config

# A private name: `push_message`, the public way, also streams what the tag `nostream` of an enclosing run forbids, and
# hides the whole message from readers of the newer protocol, who get no chunks.
from langgraph.pregel._messages import StreamMessagesHandler


class AnswerStream:
    """The stream of one message, to whoever reads the mode `messages` of the graph that works now.

    LangGraph's own rules hold: a subgraph's message is streamed with `subgraphs=True` alone, and none inside a run that
    is tagged `nostream`.

    Args:
        message_id: The message's id; `None` begins a new one.
    """

    def __init__(self, message_id: str | None = None) -> None:
        self.message_id = message_id or str(uuid.uuid4())
        self._manager = _readers_of_messages()

    def feed(self, text: str) -> None:
        """Stream a piece of the message's text."""
        self._send(text)

    def end(self, text: str, message: AIMessage) -> None:
        """Stream what `message`, the whole, has beside the pieces, where this stream has its pieces.

        Args:
            text: What of its text is not streamed yet; may be empty.
            message: The message, which LangGraph itself streams whole to readers that have no piece of it.
        """
        # A stream that began after the answer, on a resumed run, has the whole alone: a chunk would pose as all of it.
        if any(self.message_id in handler.seen for handler in _message_handlers(self._manager.handlers)):
            self._send(text, response_metadata=message.response_metadata, chunk_position="last")

    def close(self) -> None:
        """End the pieces of one writer."""
        if self._manager.handlers:
            self._run.on_llm_end(LLMResult(generations=[]))

    def _send(self, text: str, **more: Any) -> None:
        if self._manager.handlers:  # a chunk for nobody is not made
            chunk = AIMessageChunk(content=text, id=self.message_id, **more)
            self._run.on_llm_new_token(text, chunk=ChatGenerationChunk(message=chunk))

    @cached_property
    def _run(self) -> CallbackManagerForLLMRun:
        (run,) = self._manager.on_chat_model_start({}, [[]])
        return run


def leave_message_stream() -> None:
    """Keep what the node at work runs out of the mode `messages`: a seat's loop is a graph with messages of its own."""
    manager = get_config().get("callbacks")
    if isinstance(manager, BaseCallbackManager):  # a node always has one
        for handler in [*_message_handlers(manager.handlers)]:
            manager.remove_handler(handler)


def _readers_of_messages() -> CallbackManager:
    """Return the callbacks of the node at work, reduced to those that stream messages."""
    manager = get_callback_manager_for_config(get_config())
    # Nobody else: to tracers, and to whoever counts calls, these pieces are no call of a model.
    manager.set_handlers(list(_message_handlers(manager.handlers)))
    return manager


def _message_handlers(handlers: Iterable[BaseCallbackHandler]) -> Iterable[StreamMessagesHandler]:
    return (handler for handler in handlers if isinstance(handler, StreamMessagesHandler))
