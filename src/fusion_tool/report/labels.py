"""The words for a result's closed sets, and the texts of its numbers.

The tables have the sets' own types, so that mypy rejects a label for a value that does not exist; the tests find a
value without a label.
"""

from typing import Literal, NamedTuple

from fusion_tool.budget.usage import CostSource, StageName
from fusion_tool.errors import Reason, ToolReason
from fusion_tool.events import UNKNOWN, format_usd
from fusion_tool.graph.degradation import Degradation
from fusion_tool.graph.result import FusionResult
from fusion_tool.grounding.sources import Kind
from fusion_tool.grounding.support import VERDICT_LABELS, Support

VERDICTS: dict[Support, str] = {
    "supported": "the source carries the sentence",
    "weak": "the source carries it only in part",
    "mismatch": "the source seems to say otherwise",
}

LABELS = VERDICT_LABELS

MARKS: dict[Support, str] = {"supported": "✓", "weak": "~", "mismatch": "✗"}
"""The signs that tell verdicts apart without colour."""

LOSSES: dict[Degradation, str] = {
    "panel_reduced": "At least one seat gave no full answer; the others carry the result.",
    "straggler_cut": "A late seat was cut off when the panel closed, and is not heard.",
    "judge_replaced": "The judge failed, or fails time and again; another model compared the answers.",
    "analysis_unavailable": "The answers could not be compared: disagreements are not listed.",
    "verification_incomplete": "Some citations have no verdict of a second reader.",
    "verifier_replaced": "The second reader failed, or fails time and again; another model read.",
    "analysis_truncated": "The comparison broke off: disagreements may be missing from it.",
    "synthesizer_replaced": "The synthesizer failed, or fails time and again; another model wrote the answer.",
    "synthesis_unavailable": "No answer could be written from the panel's; the best-supported one stands in for it.",
    "answer_truncated": "The answer breaks off: it had no more tokens.",
    "answer_spoiled": "The model that wrote the answer spoiled it twice; what is left of it stands.",
    "answers_packed": "The answers were too long for the model that read them, and were cut to fit.",
    "evidence_packed": "Sources were too long for a seat's model, which read the sentences nearest to the question.",
    "search_unavailable": "Not one web search could be made: the answer rests on what else there was.",
    "uncited": "The answer cites no source, though there were documents or the web to answer from.",
    "budget_exhausted": "The budget ran out; what still fitted was done.",
    "deadline_reached": "Time ran out; what still fitted was done.",
    "not_kept": "The place that was to keep the run could not be used: it cannot be resumed.",
    "not_cached": "The response cache could not be used: whoever asks the same pays again.",
}

REASONS: dict[Reason, str] = {
    "rate_limited": "the provider took no more requests",
    "timeout": "no answer in time",
    "upstream_error": "the provider failed",
    "auth": "the key was not accepted",
    "model_unavailable": "the model is not to be had",
    "context_overflow": "the prompt was too long",
    "refused": "the model refused",
    "empty": "nothing came back",
    "truncated": "the answer was cut off",
    "tool_loop": "it went on calling tools",
    "invalid_output": "what came back was no answer",
    "budget": "the budget did not allow it",
    "straggler": "it was too late",
    "cancelled": "it was cancelled",
}

TOOL_REASONS: dict[ToolReason, str] = {
    "timeout": "no answer in time",
    "unreachable": "no connection, or a server's error",
    "refused": "it was refused",
    "rate_limited": "too many requests, or a plan that is used up",
    "not_found": "there is no such page",
    "no_results": "nothing came, and it is not known whether anybody looked",
    "blocked": "the address may not be fetched",
    "unreadable": "what came could not be read",
    "budget": "the budget did not allow it",
    "unavailable": "it could not start, or has no key",
    "out_of_memory": "it ran out of memory",
    "error": "it broke off with an error",
}

KINDS: dict[Kind, str] = {
    "page": "page, read",
    "result": "search result, seen as a snippet",
    "document": "your document",
    "command": "output of a command",
}

STAGES: dict[StageName, str] = {
    "panelist": "panel",
    "judge": "judge",
    "synthesizer": "synthesis",
    "verifier": "verification",
    "trial": "trial of a model",
}

PRICES: dict[CostSource, str] = {
    "provider": "told by the provider",
    "list_price": "by its price list",
    "unpriced": "unknown",
}


class Fact(NamedTuple):
    """A fact at the head of a page, and how good it is: `good`, `doubt` or `bad`."""

    text: str
    tone: Literal["good", "doubt", "bad"]


def completeness(result: FusionResult) -> Fact:
    """Return whether the result is whole; one that lost something on its way is not called so without a word."""
    if result.status != "ok":
        return Fact("partial", "bad")
    return Fact("complete, with losses", "doubt") if result.degraded else Fact("complete", "good")


def panel_share(result: FusionResult) -> Fact:
    """Return how many of the seats that were asked have answered; what a strategy did not need was not asked."""
    answered = {response.seat for response in result.responses}
    asked = answered | {row.seat for row in result.failed_models if row.stage == "panelist"}
    left = len(set(result.plan.seats) - asked)
    text = f"{len(answered)} of {count_of(len(asked), 'seat')} answered" + (f", {left} not asked" if left else "")
    if answered and answered == asked:
        return Fact(text, "good")
    return Fact(text, "doubt" if answered and 2 * len(answered) >= len(asked) else "bad")


def dollars(cost: float | None, unpriced: int = 0) -> str:
    """Return the text of an amount, with the calls that it leaves out; an unknown one is called so, and is never 0.

    Args:
        cost: US dollars; `None` if unknown.
        unpriced: The number of calls that `cost` leaves out.
    """
    left_out = f" + {count_of(unpriced, 'call')} of unknown cost" if unpriced and cost is not None else ""
    return f"{format_usd(cost)}{left_out}"


def count(number: int | None) -> str:
    """Return the text of a number of tokens; `None` is unknown."""
    return UNKNOWN if number is None else f"{number:,}"


def count_of(number: int, thing: str) -> str:
    """Return the text of a number of things, such as `1 call`, `2 calls`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
