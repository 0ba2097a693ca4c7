"""The graph alone: drawn, run with a configuration as its context, paused before the judge, and gone on with.

Run: python examples/11_standalone_graph.py   (needs OPENROUTER_API_KEY)
"""

import asyncio

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from fusion_tool import build_graph, preset


async def main() -> None:
    """Pause before `judge`, look at the answers, go on."""
    graph = build_graph(checkpointer=InMemorySaver())
    print(graph.get_graph().draw_mermaid())
    thread = RunnableConfig(configurable={"thread_id": "example"})
    await graph.ainvoke(
        {"question": "Is Raft or Paxos easier to implement correctly, by the evidence?"},
        thread,
        context=preset("budget"),
        interrupt_before=["judge"],
    )
    paused = await graph.aget_state(thread)
    for record in paused.values["records"]:
        print(f"{record['seat']}: {record['content'][:80]}")
    state = await graph.ainvoke(None, thread, context=preset("budget"))
    print(state["result"]["answer"])


asyncio.run(main())
