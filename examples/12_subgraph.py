"""The panel as a node of your own graph: it shares `messages`, and answers the last human one.

Run: python examples/12_subgraph.py   (needs OPENROUTER_API_KEY)
"""

import asyncio

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from fusion_tool import build_graph, preset


async def sign(state: MessagesState) -> dict[str, list[AIMessage]]:
    """Take a step of one's own, after the panel."""
    answer = state["messages"][-1].text
    return {"messages": [AIMessage(f"The panel took {len(answer.split())} words.")]}


async def main() -> None:
    """START -> panel -> sign -> END."""
    graph = (
        StateGraph(MessagesState)
        .add_node("panel", build_graph(preset("budget")))
        .add_node("sign", sign)
        .add_edge(START, "panel")
        .add_edge("panel", "sign")
        .add_edge("sign", END)
        .compile()
    )
    state = await graph.ainvoke(
        {"messages": [HumanMessage("Does intermittent fasting beat plain calorie restriction?")]}
    )
    for message in state["messages"]:
        print(f"{message.type}: {message.text}")


asyncio.run(main())
