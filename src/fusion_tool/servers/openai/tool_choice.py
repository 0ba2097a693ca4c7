"""The tools of `fusion-agent`'s main model, the client's and the panel, and which of them it must call.

Protocol: OpenAI's chat completions, `tools` and `tool_choice`.
"""

from dataclasses import dataclass, replace
from typing import Any

from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.request import ChatRequest


@dataclass(frozen=True)
class ToolChoice:
    """The tools that the main model has, and which of them it must call.

    Args:
        tools: All of them, as OpenAI's tools; empty where the client forbids tools.
        research: The name of the panel's tool.
        requirement: LangChain's `tool_choice`: a tool's name, or `any`; `None` leaves it to the model.
        is_met_by_research: Whether a call of the panel is what is required.
    """

    tools: tuple[dict[str, Any], ...]
    research: str
    requirement: str | None = None
    is_met_by_research: bool = False

    @classmethod
    def of(cls, request: ChatRequest, tool: dict[str, Any]) -> "ToolChoice":
        """Read a request's choice.

        `required` with no tools but the panel's forces a run; with the client's tools it asks for a call that the
        client can answer, however much is researched before.

        Args:
            request: The client's request.
            tool: The panel, as one of OpenAI's tools.

        Raises:
            ApiError: The choice names no tool of the request, or a client's tool has the panel's name.
        """
        research = str(tool["function"]["name"])
        client_tools = [tool["function"]["name"] for tool in request.tools]
        # A call of that name could be the client's or the server's to answer.
        if research in client_tools:
            raise ApiError(f"the name '{research}' is taken by the panel; choose another", param="tools")
        tools = (*request.tools, tool)
        match request.tool_choice:
            case None | "auto":
                return cls(tools, research)
            case "none":
                return cls((), research)
            case "required":
                return cls(tools, research, "any", is_met_by_research=not client_tools)
            case {"type": "function", "function": {"name": str(name)}} if name in (*client_tools, research):
                return cls(tools, research, name, is_met_by_research=name == research)
        raise ApiError("expected auto, none, required, or a tool that is in tools", param="tool_choice")

    def after_research(self) -> "ToolChoice":
        """Return the choice that is left when the panel has answered."""
        # Still required, the panel would be called in every turn, and the model could never answer.
        return replace(self, requirement=None) if self.is_met_by_research else self

    def bind(self, model: Any) -> Any:
        """Return `model` with the tools."""
        # Providers refuse an empty list of tools.
        if not self.tools:
            return model
        return model.bind_tools(list(self.tools), **({"tool_choice": self.requirement} if self.requirement else {}))

    @property
    def names(self) -> list[str]:
        """The names of the tools."""
        return [tool["function"]["name"] for tool in self.tools]
