"""The panel as a chat model: a conversation, an answer that streams, and an answer of a schema.

Run: python examples/06_chat_model.py [PRESET]   (needs OPENROUTER_API_KEY; `local` needs no key)
"""

import sys

from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from fusion_tool import ChatFusion


class Verdict(BaseModel):
    """What to use, and why."""

    choice: str = Field(description="the one to use")
    reasons: list[str] = Field(description="at most three, each with its citation")


model = ChatFusion(sys.argv[1] if len(sys.argv) > 1 else "budget", limits={"seconds": 120})

question = HumanMessage("Which hash should a new service use for passwords?")
answer = model.invoke([SystemMessage("Answer in two sentences."), question])
print(answer.text)
for citation in answer.response_metadata["fusion"]["citations"]:
    print(f"  [{citation['number']}] {citation['url']} ({citation['support']})")
print(f"cost: {answer.response_metadata['cost_usd']}, tokens: {answer.usage_metadata}")

follow_up = HumanMessage("And with which parameters?")
for chunk in model.stream([question, answer, follow_up]):
    print(chunk.text, end="", flush=True)
print()

verdict = model.with_structured_output(Verdict).invoke([question])
print(f"{verdict.choice}: {'; '.join(verdict.reasons)}")
