"""The marks of what a run lost or replaced: a closed set, and those that make its result `partial`."""

from typing import Literal, TypeAlias

Degradation: TypeAlias = Literal[
    "panel_reduced",
    "straggler_cut",
    "judge_replaced",
    "analysis_unavailable",
    "analysis_truncated",
    "synthesizer_replaced",
    "synthesis_unavailable",
    "answer_truncated",
    "answer_spoiled",
    "answers_packed",
    "evidence_packed",
    "search_unavailable",
    "verification_incomplete",
    "verifier_replaced",
    "uncited",
    "budget_exhausted",
    "deadline_reached",
    "not_kept",
    "not_cached",
]

# What the reader of an answer must know before relying on it; a panel that was reduced or packed still did its work.
PARTIAL: frozenset[Degradation] = frozenset(
    {
        "analysis_unavailable",
        "analysis_truncated",
        "synthesis_unavailable",
        "answer_truncated",
        "answer_spoiled",
        "search_unavailable",
        "uncited",
        "budget_exhausted",
        "deadline_reached",
    }
)
"""The marks that make a result `partial`; the others stand beside `ok`."""
