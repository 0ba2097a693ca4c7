"""A small model's answer: claims, each with the number of the source that carries it.

A model too small to cite on its own still has to name a source for every claim; its server's grammar admits no
other. Sources are numbered in its prompt, since an id of eight digits is more than it can copy. Whether the source
carries the claim is for the audit to say. That the sources do not answer the question is a claim with the number 0,
without which it would never be said; the smallest models cannot tell, and are not offered it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_tool.graph.agents.spoiled import Inspection
from fusion_tool.graph.prompts import render
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.models.json_reader import read_objects
from fusion_tool.models.schema_echo import fill_in
from fusion_tool.tools.untrusted import fence

_SMALL_WINDOW, _USUAL_WINDOW = 2048, 4096
_SENTENCE = "^[A-Z][A-Za-z0-9'-]{0,11}( [A-Za-z0-9,.%$'-]{1,14}){3,18}\\.$"
"""A plain sentence; without a pattern a model with the smallest window fills a string with anything."""
_LONGEST = 300


@dataclass(frozen=True)
class ClaimBounds:
    """How much a model is shown and may say.

    Args:
        claims: The most claims.
        excerpt: The most characters of each source.
        text: The JSON schema of a claim's text.
        is_smallest: Whether the window is the smallest.
    """

    claims: int
    excerpt: int
    text: dict[str, Any]
    is_smallest: bool


def claim_bounds(window: int | None) -> ClaimBounds:
    """Return the bounds for a context window in tokens; `None`, an unknown one, counts as 4,096."""
    times = min(4, max(1, (window or _USUAL_WINDOW) // _SMALL_WINDOW))
    text = {"type": "string", "pattern": _SENTENCE} if times == 1 else {"type": "string", "maxLength": _LONGEST}
    return ClaimBounds(claims=min(6, 2 * times), excerpt=330 * times, text=text, is_smallest=times == 1)


class _Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    source: int


def claims_prompt(
    question: str, sources: Sequence[RetrievedSource], bounds: ClaimBounds, *, nonce: str
) -> list[BaseMessage]:
    """Return a small model's prompt: worked examples, the numbered sources, the question.

    Args:
        question: The question.
        sources: The sources that claims may be made from, the best first.
        bounds: How much the model may say.
        nonce: The token of the run's fences.
    """
    numbered = "\n".join(f"[{n}] {' '.join(source['text'].split())}" for n, source in enumerate(sources, start=1))
    family = "small" if bounds.is_smallest else "claims"
    examples = ("small_example",) if bounds.is_smallest else ("claims_example_differ", "claims_example_missing")
    turns = [(HumanMessage(render(f"{name}_question")), AIMessage(render(f"{name}_answer"))) for name in examples]
    return [
        SystemMessage(render(f"{family}_panelist")),
        *(message for turn in turns for message in turn),
        HumanMessage(
            render("small_question", question=question, evidence=fence(numbered, label="sources", nonce=nonce))
        ),
    ]


def response_format(count: int, bounds: ClaimBounds) -> dict[str, Any]:
    """Return OpenAI's `response_format` for claims within `bounds` over `count` numbered sources."""
    claim = {
        "type": "object",
        "properties": {
            "text": bounds.text,
            "source": {"type": "integer", "enum": [*([] if bounds.is_smallest else [0]), *range(1, count + 1)]},
        },
        "required": ["text", "source"],
        "additionalProperties": False,
    }
    many = {"type": "array", "items": claim, "minItems": 1, "maxItems": bounds.claims}
    schema = {"type": "object", "properties": {"claims": many}, "required": ["claims"], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": schema}}


def claims_to_text(reply: str, sources: Sequence[RetrievedSource]) -> str | None:
    """Return the claims of a reply as lines with citations by id; `None` where it holds none.

    Of a reply that was cut off at its token limit the whole claims are kept.

    Args:
        reply: The model's text, JSON by `response_format`.
        sources: The sources that its numbers stand for.
    """
    objects = read_objects(reply, lambda value: isinstance(fill_in(value.get("claims")), list))
    rows = fill_in(objects[-1].value["claims"]) if objects else []
    whole = [claim for row in rows if (claim := _whole_claim(row)) and 0 <= claim.source <= len(sources)]
    # By id, as every other seat cites: what follows does not know that these sources once had numbers.
    marks = ["", *(f" [{source['id']}]" for source in sources)]
    lines = [f"- {' '.join(claim.text.split())}{marks[claim.source]}" for claim in whole]
    return "\n".join(dict.fromkeys(lines)) or None


def inspect_claims(reply: str, sources: Sequence[RetrievedSource]) -> Inspection:
    """Return the claims of a reply as text, or what is wrong with one that holds none; as for `claims_to_text`."""
    text = claims_to_text(reply, sources)
    return Inspection(text) if text else Inspection("", "no claim with the number of a source could be read from it")


def _whole_claim(row: Any) -> _Claim | None:
    try:
        return _Claim.model_validate(row)
    except ValidationError:
        return None
