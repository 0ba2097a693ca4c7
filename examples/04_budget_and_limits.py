"""Dollars, tokens and seconds: what a run may take, and what is left of it when a limit is reached.

Run: python examples/04_budget_and_limits.py   (needs OPENROUTER_API_KEY)
"""

from fusion_tool import BudgetExceeded, Limits, fuse

QUESTION = "What changed in the EU battery regulation this year, and for whom?"

try:
    fuse(QUESTION, "budget", limits=Limits(usd=0.0001))
except BudgetExceeded as refused:  # before the first call: nothing is spent
    print(f"refused: {refused}")

limits = Limits(usd=0.50, tokens=400_000, seconds=90, seat_seconds=45, quorum=2, grace_seconds=3)
result = fuse(QUESTION, "budget", limits=limits)

print(result.answer)
print(f"{result.status}; lost: {', '.join(result.degraded) or 'nothing'}")
for call in result.usage.calls:
    cost = "unknown" if call.cost_usd is None else f"${call.cost_usd:.4f} ({call.cost_source})"
    print(f"  {call.stage:<12} {call.seat or '':<24} {call.model:<44} {cost}")
