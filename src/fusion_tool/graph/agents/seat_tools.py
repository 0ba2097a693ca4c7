"""What a seat may use, and the shell for a model that is asked for claims."""

from dataclasses import replace
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import BaseTool

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.graph.agents.tool_loop import answer_with_tools
from fusion_tool.graph.prompts import render
from fusion_tool.models.call import ModelCallError
from fusion_tool.routing.policy.documents import seat_config
from fusion_tool.routing.policy.locality import is_local_tool
from fusion_tool.tools.toolkit import Toolkit

WEB_TOOLS, _DOCUMENT_TOOLS = ("web_search", "fetch_page"), ("search_documents",)
"""The tools that send something out, and the one that reads the user's documents."""


def seat_toolkit(toolkit: Toolkit, panelist: Panelist) -> Toolkit:
    """Return what a seat may use while `panelist` is its model: everything, unless the documents must stay local."""
    if not toolkit.config.documents_stay_local:
        return toolkit
    config = seat_config(toolkit.config, panelist)
    reads_documents = config.documents is not None
    # What a model has read it may put into a query: whoever reads the documents has nothing that reaches out.
    hidden = WEB_TOOLS if reads_documents else _DOCUMENT_TOOLS
    builtin = [
        tool
        for tool in toolkit.tools[: toolkit.builtin_count]
        if not isinstance(tool, BaseTool) or tool.name not in hidden
    ]
    custom = [tool for tool in toolkit.tools[toolkit.builtin_count :] if not reads_documents or is_local_tool(tool)]
    return replace(toolkit, config=config, tools=(*builtin, *custom), builtin_count=len(builtin))


async def use_shell(model: Any, panelist: Panelist, question: str, toolkit: Toolkit, log: SeatLog) -> SeatAnswer | None:
    """Let a model that is asked for claims run commands first: searching is done for it, this nobody can do for it.

    Args:
        model: The panelist's chat model.
        panelist: The model, in its seat.
        question: The question as the seat gets it.
        toolkit: What the seat may use.
        log: The seat's log, which gets the commands' outputs as sources.

    Returns:
        What it said in the end; `None` where it has no shell.

    Raises:
        ModelCallError: A call failed, and no command had run by then.
    """
    builtin, before = toolkit.tools[: toolkit.builtin_count], len(log.sources)
    shell = tuple(tool for tool in builtin if isinstance(tool, BaseTool) and tool.name == "bash")
    if not shell:
        return None
    # All rules of a seat are too many: with them a small model explains what a tool would do, and calls none.
    prompt = [SystemMessage(render("small_tools")), HumanMessage(question)]
    with_shell = replace(toolkit, tools=shell, builtin_count=len(shell))
    try:
        return await answer_with_tools(model, prompt, question=question, panelist=panelist, toolkit=with_shell, log=log)
    except ModelCallError:
        if len(log.sources) == before:
            raise
        return None
