"""How each client is told that its model must not call the tools that it sees."""

from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_tool.graph.agents.seat_call import _bind_uncallable
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.testing import ScriptedChat


@tool
def look(query: str) -> str:
    """Look something up."""
    return query


def anthropic() -> Any:
    return pytest.importorskip("langchain_anthropic").ChatAnthropic(model="claude-sonnet-4-5", api_key="x")


def google() -> Any:
    return pytest.importorskip("langchain_google_genai").ChatGoogleGenerativeAI(model="gemini-3-pro", api_key="x")


@pytest.mark.parametrize(
    ("make", "choice"),
    [
        (lambda: ScriptedChat(replies=["x"]), "none"),
        (lambda: OpenAICompatibleChat(model="m", api_key="x"), "none"),
        (anthropic, {"type": "none"}),
        (google, "none"),
    ],
    ids=["scripted", "compatible", "anthropic", "google"],
)
def test_tools_are_declared_and_not_to_be_called(make, choice):
    bound: Any = _bind_uncallable(make(), [look])
    assert bound.kwargs["tools"]
    assert bound.kwargs["tool_choice"] == choice
