"""Structured replies: every way of asking for one that an endpoint may take, the strictest first."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fusion_tool.models.call import CallFailed, Reply

_NAMED = ("response_format", "schema", "json", "tool", "function", "support", "parameter")
"""What an endpoint names that does not take one of the ways."""


def ways_of_asking(
    model: Any, name: str, wanted: dict[str, Any], *, schema_taken: bool | None, tools: bool
) -> list[Any]:
    """`model`, bound in each way of getting a structured reply that it may know.

    Args:
        model: A chat model.
        name: The schema's.
        wanted: The JSON schema of the reply.
        schema_taken: Whether its endpoint takes OpenAI's `response_format`; `None`: try and see.
        tools: Whether it can call functions, and may here.

    Returns:
        At least one runnable; the last one asks in prose.
    """
    ways: list[Any] = []
    if schema_taken is not False:
        json_schema = {"name": name, "strict": True, "schema": wanted}
        ways.append(model.bind(response_format={"type": "json_schema", "json_schema": json_schema}))
    if tools:
        function = {"name": name, "description": "Hand in the reply.", "parameters": wanted}
        ways.append(model.bind_tools([{"type": "function", "function": function}], tool_choice=name))
    return [*ways, model]


async def first_taken(ways: Sequence[Any], ask: Callable[[Any], Awaitable[Reply]]) -> tuple[Reply, Any]:
    """The first reply in a way that the model's endpoint takes, and that way.

    Raises:
        CallFailed: It took one, and gave no usable reply.
    """
    for way in ways[:-1]:
        try:
            return await ask(way), way
        except CallFailed as failed:
            if not failed.fault.objects_to(*_NAMED):
                raise
    return await ask(ways[-1]), ways[-1]
