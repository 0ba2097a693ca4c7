"""An agent that hands a research question to the panel and goes on with the short, cited answer.

Run: python examples/02_tool_in_agent.py   (needs OPENROUTER_API_KEY for the panel, OPENAI_API_KEY for the agent)
"""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from fusion_tool import FusionTool, Limits

tool = FusionTool("budget", limits=Limits(seconds=90), excluded_domains=["example.org"])
agent = create_agent("openai:gpt-5.5", tools=[tool])

question = "Should we store our audit log in SQLite or in append-only files? Research it, then advise us."
state = agent.invoke({"messages": [HumanMessage(question)]})

print(state["messages"][-1].text)
for message in state["messages"]:
    if message.type == "tool" and message.artifact:
        print(f"the panel took {message.artifact['timing']['total_seconds']} s and cited:")
        for citation in message.artifact["citations"]:
            print(f"  [{citation['number']}] {citation['url']} ({citation['support']})")
