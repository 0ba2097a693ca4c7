"""Sources that give different figures for the same thing, as the synthesizer is told of them."""

from fusion_tool.graph.agents.answers import PanelAnswers
from fusion_tool.graph.agents.flags import tidy_claim
from fusion_tool.graph.prompts import render
from fusion_tool.grounding.passages import EXCERPT
from fusion_tool.grounding.source_disputes import SourcedClaim, find_disputes, sourced_claims
from fusion_tool.tools.untrusted import fence

_MOST_DISPUTES = 3
LONGEST_DISPUTES = "x" * (4 * 2 * _MOST_DISPUTES * (EXCERPT + 20) + 600)
"""A text of as many bytes as `render_disputes` returns at most."""


def render_disputes(answers: PanelAnswers) -> str:
    """Return the section of a prompt that tells of disputes between the sources of `answers`; empty without any."""
    claims = [claim for record in answers.records for claim in sourced_claims(answers.audit_of(record))]
    disputes = find_disputes(claims)[:_MOST_DISPUTES]
    if not disputes:
        return ""
    rows = "\n".join(f"- {_line(dispute.first)}\n  {_line(dispute.second)}" for dispute in disputes)
    return render("source_disputes", disputes=fence(rows, label="sources that differ", nonce=answers.nonce)) + "\n\n"


def _line(claim: SourcedClaim) -> str:
    return f"{tidy_claim(claim.claim)} [{claim.id}]"
