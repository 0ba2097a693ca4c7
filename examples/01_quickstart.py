"""Ask a panel a question and print what came back.

Run: python examples/01_quickstart.py [PRESET]   (needs OPENROUTER_API_KEY; `local` needs no key)
"""

import sys

from fusion_tool import fuse

result = fuse(
    "Which of SQLite's journal modes survives a power cut without losing committed transactions?",
    sys.argv[1] if len(sys.argv) > 1 else "budget",
)

print(result.answer)
for citation in result.citations:
    print(f"[{citation.number}] {citation.title} - {citation.url} ({citation.support})")
if result.analysis:
    for dispute in result.analysis.contradictions:
        print(f"disputed: {dispute.topic}: " + "; ".join(f"{s.model}: {s.stance}" for s in dispute.stances))
print(f"{result.status}, ${result.usage.cost_usd}, {result.timing.total_seconds} s")
