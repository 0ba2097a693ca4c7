"""What a model can do, where that changes how it is asked.

Among it every way of asking for a structured reply that an endpoint may take, the strictest first.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError, ModelReply

_SMALL_WINDOW = 2048
"""Below this many tokens of context a model gets short prompts and answers through a small schema."""


@dataclass(frozen=True)
class Capabilities:
    """A model's abilities.

    Args:
        tools: It can call tools.
        json_schema: Its endpoint takes OpenAI's `response_format` with a JSON schema. `None`: try and see.
        max_input_tokens: Its context window, `None` where unknown.
    """

    tools: bool
    json_schema: bool | None
    max_input_tokens: int | None

    @property
    def small(self) -> bool:
        """So little context that prompts must be short and answers bounded by a schema."""
        return self.max_input_tokens is not None and self.max_input_tokens <= _SMALL_WINDOW


def capabilities_of(panelist: Panelist, model: Any) -> Capabilities:
    """The traits of `model`, from its LangChain profile and the panelist's own settings."""
    profile = getattr(model, "profile", None) or {}
    compatible = "ChatOpenAI" in {cls.__name__ for cls in type(model).__mro__}
    structured = profile.get("structured_output")
    return Capabilities(
        tools=bool(profile.get("tool_calling", _binds_tools(model))),
        json_schema=structured if compatible else False,
        max_input_tokens=panelist.max_input_tokens or profile.get("max_input_tokens"),
    )


def _binds_tools(model: Any) -> bool:
    """Whether the model's class implements `bind_tools` itself; the base class only raises."""
    from langchain_core.language_models import BaseChatModel

    return getattr(type(model), "bind_tools", None) is not BaseChatModel.bind_tools


_NAMED = ("response_format", "schema", "json", "tool", "function", "support", "parameter")
"""What an endpoint names that does not take one of the ways."""


def structured_output_methods(
    model: Any, name: str, schema: dict[str, Any], *, takes_schema: bool | None, tools: bool
) -> list[Any]:
    """`model`, bound in each way of getting a structured reply that it may know.

    Args:
        model: A chat model.
        name: The schema's.
        schema: The JSON schema of the reply.
        takes_schema: Whether its endpoint takes OpenAI's `response_format`; `None`: try and see.
        tools: Whether it can call functions, and may here.

    Returns:
        At least one runnable; the last one asks in prose.
    """
    ways: list[Any] = []
    if takes_schema is not False:
        json_schema = {"name": name, "strict": True, "schema": schema}
        ways.append(model.bind(response_format={"type": "json_schema", "json_schema": json_schema}))
    if tools:
        function = {"name": name, "description": "Hand in the reply.", "parameters": schema}
        ways.append(model.bind_tools([{"type": "function", "function": function}], tool_choice=name))
    return [*ways, model]


async def first_accepted(methods: Sequence[Any], ask: Callable[[Any], Awaitable[ModelReply]]) -> tuple[ModelReply, Any]:
    """The first reply in a way that the model's endpoint takes, and that way.

    Raises:
        ModelCallError: It took one, and gave no usable reply.
    """
    for way in methods[:-1]:
        try:
            return await ask(way), way
        except ModelCallError as failed:
            if not failed.fault.rejects(*_NAMED):
                raise
    return await ask(methods[-1]), methods[-1]
