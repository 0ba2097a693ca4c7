"""Answers through a small schema: claims, each naming a source that was retrieved.

A model too small to cite on its own still has to name a source for every claim; its server's grammar admits no
other. Sources are numbered in its prompt, since an id of eight digits is more than it can copy. Whether the source
carries the claim is for the audit to say.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_tool.prompts import fence, render
from fusion_tool.sources import Found

_MOST_CLAIMS = 2
_SENTENCE = "^[A-Z][A-Za-z0-9'-]{0,11}( [A-Za-z0-9,.%$'-]{1,14}){3,18}\\.$"
"""A plain sentence; without a pattern so small a model fills a string with anything."""


class _Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    source: int


def messages(question: str, found: Sequence[Found], *, nonce: str) -> list[BaseMessage]:
    """The prompt: one worked example, the numbered sources, the question.

    Args:
        question: The question.
        found: The sources, the best first.
        nonce: The token of the run's fences.
    """
    numbered = "\n".join(f"[{n}] {' '.join(one['text'].split())}" for n, one in enumerate(found, start=1))
    return [
        SystemMessage(render("small_panelist")),
        HumanMessage(render("small_example_question")),
        AIMessage(render("small_example_answer")),
        HumanMessage(
            render("small_question", question=question, evidence=fence(numbered, label="sources", nonce=nonce))
        ),
    ]


def response_format(count: int) -> dict[str, Any]:
    """OpenAI's `response_format` for 1 or 2 claims over `count` numbered sources."""
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "pattern": _SENTENCE},
            "source": {"type": "integer", "enum": list(range(1, count + 1))},
        },
        "required": ["text", "source"],
        "additionalProperties": False,
    }
    many = {"type": "array", "items": claim, "minItems": 1, "maxItems": _MOST_CLAIMS}
    schema = {"type": "object", "properties": {"claims": many}, "required": ["claims"], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": schema}}


def as_text(reply: str, found: Sequence[Found]) -> str | None:
    """The claims of a reply as lines with citations by id; `None` where it holds none.

    Of a reply that was cut off at its token limit the whole claims are kept.
    """
    import json_repair

    value = json_repair.loads(reply)
    rows = value.get("claims") if isinstance(value, dict) else None
    listed = rows if isinstance(rows, list) else []
    whole = [claim for row in listed if (claim := _whole(row)) and 1 <= claim.source <= len(found)]
    lines = [f"- {' '.join(claim.text.split())} [{found[claim.source - 1]['id']}]" for claim in whole]
    return "\n".join(dict.fromkeys(lines)) or None


def _whole(row: Any) -> _Claim | None:
    try:
        return _Claim.model_validate(row)
    except ValidationError:
        return None
