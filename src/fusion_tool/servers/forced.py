"""Which tools the main model is offered, and which it must call."""

from dataclasses import dataclass, replace
from typing import Any

from fusion_tool.servers.refusals import ApiError
from fusion_tool.servers.wanted import Wanted


@dataclass(frozen=True)
class Choice:
    """The tools on offer, `research` being the name of the panel's; `must` is LangChain's `tool_choice`."""

    tools: tuple[dict[str, Any], ...]
    research: str
    must: str | None = None
    is_met_by_research: bool = False

    @classmethod
    def of(cls, wanted: Wanted, tool: dict[str, Any]) -> "Choice":
        """What a request asks for.

        `required` with no tools but the panel's forces a run; with tools of the client's it asks for a call that the
        client can answer, however much is researched before.

        Raises:
            ApiError: The choice names no tool that is there, or a tool of the client's has the panel's name.
        """
        research = str(tool["function"]["name"])
        theirs = [one["function"]["name"] for one in wanted.tools]
        if research in theirs:
            raise ApiError(f"the name '{research}' is taken by the panel; choose another", param="tools")
        tools = (*wanted.tools, tool)
        match wanted.tool_choice:
            case None | "auto":
                return cls(tools, research)
            case "none":
                return cls((), research)
            case "required":
                return cls(tools, research, "any", is_met_by_research=not theirs)
            case {"type": "function", "function": {"name": str(name)}} if name in (*theirs, research):
                return cls(tools, research, name, is_met_by_research=name == research)
        raise ApiError("expected auto, none, required, or a tool that is in tools", param="tool_choice")

    def once_researched(self) -> "Choice":
        """What is left to choose when the panel has answered."""
        return replace(self, must=None) if self.is_met_by_research else self

    def bind(self, model: Any) -> Any:
        """`model` with the tools."""
        if not self.tools:
            return model
        return model.bind_tools(list(self.tools), **({"tool_choice": self.must} if self.must else {}))
