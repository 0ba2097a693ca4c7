"""`PlainSerializer`: the format of stored rows, of which only plain data and LangChain's messages are read.

A row is data that others may have written: a shared cache folder, a checkpoint from another machine.
"""

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core import messages
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_KW_ARGS,
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_PYDANTIC_V2,
    JsonPlusSerializer,
)
from langgraph.types import Overwrite, Send

from fusion_tool.errors import ConfigError

_MESSAGES = (
    messages.AIMessage,
    messages.AIMessageChunk,
    messages.ChatMessage,
    messages.ChatMessageChunk,
    messages.FunctionMessage,
    messages.FunctionMessageChunk,
    messages.HumanMessage,
    messages.HumanMessageChunk,
    messages.RemoveMessage,
    messages.SystemMessage,
    messages.SystemMessageChunk,
    messages.ToolMessage,
    messages.ToolMessageChunk,
)


def _from_fields(cls: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda fields: cls(**fields)


_BUILDERS: Mapping[tuple[int, str, str], Callable[[Any], Any]] = {
    **{(EXT_PYDANTIC_V2, message.__module__, message.__name__): _from_fields(message) for message in _MESSAGES},
    # A graph's own: which node is next with what, and that a value takes another's place.
    (EXT_CONSTRUCTOR_POS_ARGS, Send.__module__, Send.__name__): lambda arguments: Send(*arguments),
    (EXT_CONSTRUCTOR_KW_ARGS, Overwrite.__module__, Overwrite.__name__): _from_fields(Overwrite),
}
"""Builders by kind, module and name as a row states them: a row cannot have anything else imported or called."""


class UnreadableRowError(ConfigError):
    """A row is broken, or holds what is not plain data."""


class PlainSerializer(JsonPlusSerializer):
    """A serializer that writes as LangGraph's does, and reads only what this package writes.

    LangGraph's own reader imports and calls what a row names. In its strict mode it passes over unknown types in
    silence, and still revives JSON objects of all of LangChain's core.
    """

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Deserialize a value.

        Raises:
            UnreadableRowError: The value is of another kind, names a type that may not be built, or is broken.
        """
        # "json" would revive LangChain's objects; "pickle", which runs code, LangGraph refuses by default only.
        if data[0] not in ("null", "msgpack"):
            raise UnreadableRowError(f"it holds {data[0]!r}, where only plain data may be")
        # msgpack turns whatever its hook raises into a ValueError of its own words, so the reason is set aside here.
        reasons: list[str] = []

        def build(code: int, inner: bytes) -> Any:
            content = reader.loads_typed(("msgpack", inner))
            try:
                module, name, arguments = content[:3]
                builder = _BUILDERS[code, module, name]
            except (KeyError, TypeError, ValueError):
                kind = ".".join(map(str, content[:2])) if isinstance(content, list) else f"an object of kind {code}"
                reasons.append(f"it holds {kind}, where only plain data may be")
                raise
            return builder(arguments)

        reader = JsonPlusSerializer(__unpack_ext_hook__=build)
        try:
            return reader.loads_typed(data)
        except (ValueError, TypeError, RecursionError) as error:
            raise UnreadableRowError(next(iter(reasons), f"it is broken ({error})")) from error
