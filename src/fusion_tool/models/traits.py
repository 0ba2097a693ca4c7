"""What a model can do, where that changes how it is asked."""

from dataclasses import dataclass
from typing import Any

from fusion_tool.config import Panelist

_SMALL_WINDOW = 2048
"""Below this many tokens of context a model gets short prompts and answers through a small schema."""


@dataclass(frozen=True)
class Traits:
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


def traits_of(panelist: Panelist, model: Any) -> Traits:
    """The traits of `model`, from its LangChain profile and the panelist's own settings."""
    profile = getattr(model, "profile", None) or {}
    compatible = "ChatOpenAI" in {cls.__name__ for cls in type(model).__mro__}
    structured = profile.get("structured_output")
    return Traits(
        tools=bool(profile.get("tool_calling", _binds_tools(model))),
        json_schema=structured if compatible else False,
        max_input_tokens=panelist.max_input_tokens or profile.get("max_input_tokens"),
    )


def _binds_tools(model: Any) -> bool:
    """Whether the model's class implements `bind_tools` itself; the base class only raises."""
    from langchain_core.language_models import BaseChatModel

    return getattr(type(model), "bind_tools", None) is not BaseChatModel.bind_tools
