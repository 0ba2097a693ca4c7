"""Sources that give different figures for the same thing, as the synthesizer is told of them."""

from fusion_tool.graph.agents.answers import PanelAnswers
from fusion_tool.graph.agents.flags import tidy_claim
from fusion_tool.graph.prompts import render
from fusion_tool.grounding.passages import EXCERPT
from fusion_tool.grounding.source_disputes import (
    SourcedClaim,
    SourceDispute,
    find_disputes,
    sentences_about,
    sourced_claims,
)
from fusion_tool.tools.untrusted import fence

_MOST_DISPUTES, _MOST_MATTERS = 3, 12
LONGEST_DISPUTES = "x" * (4 * 2 * _MOST_DISPUTES * (EXCERPT + 20) + 600)
"""A text of as many bytes as `render_disputes` returns at most."""


def disputes_of(answers: PanelAnswers, question: str) -> list[SourceDispute]:
    """Return the disputes between the sources of `answers` about what is asked or claimed, three at most."""
    claims = [claim for record in answers.records for claim in sourced_claims(answers.audit_of(record))]
    texts = {key: source["text"] for key, source in answers.sources.items()}
    # What no answer cites is heard, too: a seat that has read one source does not know that another differs.
    matters = [question, *dict.fromkeys(claim.claim for claim in claims)][:_MOST_MATTERS]
    told = [sentence for matter in matters for sentence in sentences_about(matter, texts)]
    return find_disputes([*claims, *told], question)[:_MOST_DISPUTES]


def render_disputes(answers: PanelAnswers, question: str) -> str:
    """Return the section of a prompt that tells of the disputes; empty without any."""
    disputes = disputes_of(answers, question)
    if not disputes:
        return ""
    rows = "\n".join(f"- {_line(dispute.first)}\n  {_line(dispute.second)}" for dispute in disputes)
    return render("source_disputes", disputes=fence(rows, label="sources that differ", nonce=answers.nonce)) + "\n\n"


def _line(claim: SourcedClaim) -> str:
    return f"{tidy_claim(claim.claim)} [{claim.id}]"
