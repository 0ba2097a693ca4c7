"""One call of a seat's model with tools: messages fitted to its window, tools bound as its endpoint takes them."""

from collections.abc import Sequence
from typing import Any, cast

from langchain.agents.middleware import ModelRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_tool.budget.ledger import TOOLS_BYTES
from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.window import fit_results, prompt_length, prompt_room, require_fit
from fusion_tool.models.call import ModelCallError, ModelReply, call_model
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.hedging import OnFirst
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.refusals import has_refused, remember_refusal


async def call_with_tools(request: ModelRequest[Any], panelist: Panelist, on_first: OnFirst | None) -> ModelReply:
    """Call `panelist` in place of the agent's own call, which could neither stream nor go to another model.

    Args:
        request: The agent's request; its runtime's context is the seat's `LoopState`.
        panelist: Who is called.
        on_first: Called at the first token.

    Raises:
        ModelCallError: It gave no usable reply, or what is asked alone is longer than its window.
    """
    turn: Any = request.runtime.context
    messages = _fit(request, panelist, await chat_model(panelist))
    try:
        return await _call_with(messages, request, panelist, on_first)
    except ModelCallError as failed:
        shorter = fit_results(messages, turn.question, prompt_length(messages) // 2, nonce=turn.toolkit.nonce)
        if failed.fault.reason != "context_overflow" or shorter == messages:
            raise
    turn.log.is_cut = True
    return await _call_with(shorter, request, panelist, on_first)


def _fit(request: ModelRequest[Any], panelist: Panelist, model: BaseChatModel) -> list[BaseMessage]:
    """Return the messages with tools' results shortened to what the model's window takes.

    Raises:
        ModelCallError: What cannot be shortened is longer than the window.
    """
    turn: Any = request.runtime.context
    messages: list[BaseMessage] = list(request.messages)
    capabilities = capabilities_of(panelist, model)
    fixed = [message for message in messages if not isinstance(message, AIMessage | ToolMessage)]
    require_fit(fixed, capabilities, panelist.model_name)
    room = prompt_room(capabilities, panelist)
    if room is None:
        return messages
    tools = sum(len(str(convert_to_openai_tool(tool))) for tool in request.tools)
    fitted = fit_results(messages, turn.question, room - tools, nonce=turn.toolkit.nonce)
    turn.log.is_cut |= fitted != messages
    return fitted


async def _call_with(
    messages: Sequence[BaseMessage], request: ModelRequest[Any], panelist: Panelist, on_first: OnFirst | None
) -> ModelReply:
    turn: Any = request.runtime.context
    model = await chat_model(panelist)

    async def call(bound: Runnable[Any, AIMessage]) -> ModelReply:
        return await call_model(
            bound,
            messages,
            account=turn.log.stage.call_context(panelist),
            deadline=turn.log.deadline,
            on_first=on_first,
            extra_bytes=TOOLS_BYTES,
        )

    endpoint = f"{endpoint_for(panelist)} {panelist.model_name}"
    if request.tool_choice != "none" or has_refused(endpoint, "tool_choice"):
        return await call(model.bind_tools(request.tools))
    try:
        return await call(_bind_uncallable(model, request.tools))
    except ModelCallError as failed:
        if not failed.fault.rejects("tool_choice"):
            raise
        remember_refusal(endpoint, "tool_choice")
    # The next best way: a model that still calls a tool is told that no calls are left.
    return await call(model.bind_tools(request.tools))


def _bind_uncallable(model: BaseChatModel, tools: Sequence[Any]) -> Runnable[Any, AIMessage]:
    """Bind tools that the model sees and must not call."""
    # Anthropic's client takes the word for a tool's name, and has an object for it.
    is_anthropic = "ChatAnthropic" in {cls.__name__ for cls in type(model).__mro__}
    return model.bind_tools(tools, tool_choice=cast("str", {"type": "none"}) if is_anthropic else "none")
