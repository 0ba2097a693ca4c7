"""An agent that owns the panel: a chat model that answers by itself what it knows, and hands research over.

START -> model <-> tools -> END

Made for Studio's chat: messages in, messages out. Its panel is set up as the graph `fusion` is; the agent's own model
is one of the panel's, by the context's `model`, and the synthesizer where nothing is chosen.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain.chat_models import init_chat_model
from pydantic import WithJsonSchema

from fusion_tool import FusionTool
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import chat_model
from fusion_tool.servers.agent_server import AgentGraph, graph_factory
from fusion_tool.servers.checks import reachable_model

PROMPT = (
    "You answer in the user's language, briefly. What needs facts that you are not sure of, several sources or a "
    "comparison you hand over to fusion_research, as one self-contained question, and answer from what it returns: "
    "keep its numbered citations and list its sources; say what stays disputed. Do not research small talk."
)


def build(operator: FusionConfig | None) -> AgentGraph:
    """Build the agent; its panel is the operator's."""
    config = operator or preset("budget")
    panelists = (config.synthesizer_or_default, config.judge_or_default, *config.panel)
    models = {one.model_name: one for one in reversed(panelists)}

    @dataclass
    class AgentContext:
        """What a client may set.

        Args:
            model: The agent's own model, one of the panel's.
        """

        model: Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(models)})] = panelists[0].model_name

    class ChosenModel(AgentMiddleware[AgentState[Any], AgentContext]):
        """Asks the model that the context names; it is made when it is needed, so that starting needs no key."""

        async def awrap_model_call(
            self,
            request: ModelRequest[AgentContext],
            handler: Callable[[ModelRequest[AgentContext]], Awaitable[ModelResponse[Any]]],
        ) -> ModelResponse[Any]:
            """Ask it."""
            chosen = (request.runtime.context or AgentContext()).model
            if chosen not in models:
                offered = ", ".join(sorted(models))
                raise ConfigError(f"'{chosen}' is not offered here; there are {offered}", field="model")
            panelist = await reachable_model(models[chosen], config)
            return await handler(request.override(model=await chat_model(panelist)))

    to_be_chosen: Any = init_chat_model()
    return create_agent(
        to_be_chosen,
        tools=[FusionTool(config)],
        system_prompt=PROMPT,
        middleware=[ChosenModel()],
        context_schema=AgentContext,
        name="research_agent",
    )


graph = graph_factory(build)
