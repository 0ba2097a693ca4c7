"""An agent that hands over the research, asks on from an answer, and does the editing itself.

Run: python examples/13_follow_up.py   (needs OPENROUTER_API_KEY for the panel, OPENAI_API_KEY for the agent)
"""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from fusion_tool import FusionResult, FusionTool, Limits

note = {"text": "# Audit log\n\nStore: to be decided.\nRetention: to be decided.\n"}


@tool
def edit_note(old: str, new: str) -> str:
    """Replace a passage of the design note by another one; an empty `new` shows the note."""
    if new and note["text"].count(old) == 1:
        note["text"] = note["text"].replace(old, new)
        return note["text"]
    return f"Nothing is changed: `old` has to stand there once. The note:\n{note['text']}"


research = FusionTool("budget", limits=Limits(seconds=90), session_limits=Limits(usd=1))
agent = create_agent(
    "openai:gpt-5.5",
    tools=[research, edit_note],
    system_prompt="You keep a design note. Settle what is contested with fusion_research, and to ask on from an answer "
    "pass its id as `continues`. Edit the note yourself. End with the sources.",
)
task = "Decide where our audit log is stored, then how long we have to keep it there, and write both into the note."
state = agent.invoke({"messages": [HumanMessage(task)]})

print(note["text"])
print(state["messages"][-1].text)
for message in state["messages"]:
    if message.type == "tool" and message.artifact:
        result = FusionResult.model_validate(message.artifact)
        print(f"\n{result.question} (run {result.run_id}, from {result.continues})")
        for citation in result.citations:
            print(f"  [{citation.number}] {citation.url}, read in run {citation.from_run or result.run_id}")
print(f"\nall research: ${research.spent.usd:.4f}")
