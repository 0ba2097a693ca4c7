"""`Signals`: the classifier's findings on a question."""

from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field

Domain: TypeAlias = Literal[
    "coding",
    "science",
    "mathematics",
    "reasoning",
    "computer_use",
    "writing",
    "retrieval",
    "current_events",
    "general",
]
"""What a question asks a model to be good at: a closed set."""

DOMAINS: tuple[Domain, ...] = get_args(Domain)
_LOOKED_UP: frozenset[Domain] = frozenset({"retrieval", "current_events", "science"})
"""Domains whose questions are about what is written somewhere."""
Difficulty: TypeAlias = Literal["easy", "medium", "hard"]


class Signals(BaseModel):
    """A question as the router sees it.

    Args:
        domain: What it asks a model to be good at.
        closed: Two right answers would be the same: a number, a date, a choice, yes or no, a short fact, a
            program's output. Otherwise it is open.
        difficulty: How much work it looks like.
        deep: It is contested or broad, so that several views are worth their price.
        needs_fresh: It asks for what changes: news, prices, the latest version.
        language: ISO 639-1 code, `None` where it cannot be told.
        length: Characters of the question.
        confidence: How clear the lead of the domain is, 0 to 1.
        evidence: The words and patterns that were found, as `"coding: traceback"`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: Domain
    closed: bool
    difficulty: Difficulty
    deep: bool
    needs_fresh: bool
    language: str | None
    length: int = Field(ge=0)
    confidence: Annotated[float, Field(ge=0, le=1)]
    evidence: tuple[str, ...] = ()

    @property
    def needs_sources(self) -> bool:
        """Whether an answer from memory is not to be trusted: what changes, is contested, or has to be looked up.

        Not so a short fact of general knowledge, a calculation, a puzzle, code, or a text of one's own.
        """
        if self.needs_fresh or self.deep or self.domain in _LOOKED_UP:
            return True
        return self.domain == "general" and self.difficulty != "easy"
