"""Tool calls that a model wrote into its text, made like any other call where a tool of that name was offered.

Small models do so, and servers without a model's own template. Only in tool loops: elsewhere such a text is no call.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.tool import default_tool_parser

from fusion_tool.models.call import ModelReply
from fusion_tool.models.finish_reasons import reasoning_of
from fusion_tool.models.wire.text_calls import parse_text_calls
from fusion_tool.models.wire.tool_calls import normalize_tool_calls


def make_written_calls(reply: ModelReply, offered: Collection[str], messages: Iterable[BaseMessage]) -> ModelReply:
    """Return `reply` with its written calls as calls, out of its text; as it is where it has calls, or wrote none.

    Args:
        reply: The reply of one turn.
        offered: The names of the tools that were offered.
        messages: What the model was asked with: no id of a call in it is used again.
    """
    if reply.message.tool_calls or reply.message.invalid_tool_calls:
        return reply
    text, written = parse_text_calls(reply.text, offered)
    if not reply.text.strip():
        text, (_, written) = "", parse_text_calls(reasoning_of(reply.message), offered)
    if not written:
        return reply
    earlier = [message for message in messages if isinstance(message, AIMessage)]
    used = {str(call["id"]) for message in earlier for call in (*message.tool_calls, *message.invalid_tool_calls)}
    calls, invalid = default_tool_parser(normalize_tool_calls({"tool_calls": written}, offered, used)["tool_calls"])
    update = {"content": text, "tool_calls": calls, "invalid_tool_calls": invalid}
    return replace(reply, text=text, message=reply.message.model_copy(update=update))
