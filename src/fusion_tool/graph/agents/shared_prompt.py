"""The prompt of judge and synthesizer: what both read comes first, letter for letter, and what each is to do after it.

So a prompt cache that has served the judge serves the synthesizer: the provider's, or that of the user's own server.
"""

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import PanelAnswers
from fusion_tool.graph.prompts import render
from fusion_tool.models.prompt_cache import mark_prefix
from fusion_tool.models.providers import endpoint_for


def shared_prompt(question: str, answers: PanelAnswers, task: str, *, is_marked: bool) -> list[BaseMessage]:
    """Return a prompt over the answers.

    Args:
        question: The question.
        answers: The answers, as both see them.
        task: What is to be done with them, and what else that takes.
        is_marked: Whether to mark the end of what both read, for an endpoint that wants to be told.
    """
    shared = render("answers", question=question, answers=answers.answers())
    user = mark_prefix(shared, f"\n\n{task}") if is_marked else HumanMessage(f"{shared}\n\n{task}")
    return [SystemMessage(render("reader", nonce=answers.nonce)), user]


def is_judge_and_writer(panelist: Panelist, config: FusionConfig) -> bool:
    """Tell whether one model judges and writes, and `panelist` is that one: a cache is a model's own."""
    roles = (config.judge_or_default, config.synthesizer_or_default, panelist)
    return len({role.model_name for role in roles}) == 1 and len(set(map(endpoint_for, roles))) == 1
