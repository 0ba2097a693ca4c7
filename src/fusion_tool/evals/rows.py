"""The rows of a results folder: answers (`AnswerRow`), panels' bills (`PanelRow`), verdicts (`VerdictRow`)."""

import hashlib
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.errors import Reason
from fusion_tool.evals.answer_checks import Hygiene, check_answer, check_result
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.graph.result import FusionResult


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnswerRow(_Row):
    """One arm's answer to one task; a later row of the same two replaces it, but its bill stands.

    Args:
        arm: The arm's name.
        task: The task's id.
        at: Time of the row, UTC.
        answer: The answer as a reader sees it, without the list of sources; empty where there is none.
        result: The run's whole result; `None` where there was none.
        panel: Key of the panel that it was made from, whose calls are in a `PanelRow` because arms may share it; `None`
            where it has no such panel.
        reason: Why there is no answer to be scored; `None` where there is one.
        message: The reason in words.
        calls: Its bill, the panel's calls included; empty for a recorded answer.
        cost_usd: US dollars of the answer, panel included, shared or not; `None` where unknown.
        unpriced_calls: Number of calls that `cost_usd` leaves out.
        seconds: Time it took, panel included; `None` where unknown.
    """

    arm: str
    task: str
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    answer: str = ""
    result: FusionResult | None = None
    panel: str | None = None
    reason: Reason | None = None
    message: str = ""
    calls: tuple[Call, ...] = ()
    cost_usd: float | None = None
    unpriced_calls: int = 0
    seconds: float | None = None

    @classmethod
    def of_result(cls, arm: str, task: str, result: FusionResult, panel: str | None) -> Self:
        """Return the row of a run that gave an answer; the calls are in the row alone, not in its result."""
        # The sums stay in the result, as what the answer cost; the calls would stand in the row twice.
        usage = result.usage
        return cls(
            arm=arm,
            task=task,
            answer=result.answer,
            result=result.model_copy(update={"usage": usage.model_copy(update={"calls": []})}),
            panel=panel,
            calls=tuple(usage.calls),
            cost_usd=usage.cost_usd,
            unpriced_calls=usage.unpriced_calls,
            seconds=result.timing.total_seconds,
        )

    @classmethod
    def of_failure(cls, arm: str, task: str, reason: Reason, message: str, calls: tuple[Call, ...] = ()) -> Self:
        """Return the row of a run that gave no answer."""
        usage = Usage.of(calls)
        bill = {"cost_usd": usage.cost_usd, "unpriced_calls": usage.unpriced_calls}
        return cls(arm=arm, task=task, reason=reason, message=message, calls=calls, **bill)

    @property
    def own_calls(self) -> list[Call]:
        """Its calls without those of a shared panel."""
        return [call for call in self.calls if self.panel is None or call.stage != "panelist"]

    @property
    def hygiene(self) -> Hygiene:
        """The faults of the answer's form."""
        return check_result(self.result) if self.result else check_answer(self.answer)

    @property
    def is_refusal(self) -> bool:
        """Whether the arm declined to answer: its provider or the model itself said so."""
        return self.reason == "refused" or (self.reason is None and self.hygiene.refused)

    @property
    def is_final(self) -> bool:
        """Whether it is not run again: it has an answer or was refused; other failures may pass."""
        return self.reason in (None, "refused")

    @property
    def text(self) -> str:
        """The text that is graded: the answer with its sources."""
        if self.result is None or not self.result.citations:
            return self.answer
        # A judge that sees "[1]" without the list cannot say whether the answer names its sources.
        sources = (f"[{citation.number}] {citation.title} - {citation.url}" for citation in self.result.citations)
        return "\n".join([f"{self.answer}\n\nSources", *sources])

    def seat_texts(self) -> dict[str, str]:
        """Return what each seat answered, as it is graded, by the seat's label; the last wave counts."""
        from fusion_tool.grounding.citations import number_citations
        from fusion_tool.grounding.sources import RetrievedSource

        if self.result is None or len(self.result.plan.seats) < 2:  # noqa: PLR2004 - one seat is no panel
            return {}
        sources_by_id = {
            source.id: RetrievedSource(id=source.id, url=source.url, title=source.title, kind=source.kind, text="")
            for source in self.result.sources
        }
        texts = {}
        for response in self.result.responses:
            # In the form of a final answer: by source ids a judge would see that this one is a seat's.
            citations = number_citations(response.content, sources_by_id)
            sources = [
                f"[{number}] {sources_by_id[key]['title']} - {sources_by_id[key]['url']}"
                for key, number in citations.numbers.items()
            ]
            texts[response.seat] = "\n".join([f"{citations.text}\n\nSources", *sources]) if sources else citations.text
        return texts


class PanelRow(_Row):
    """The bill of one panel's run, whichever arms continue from its answers.

    Args:
        panel: The panel's key.
        run_id: Id of the run; a panel that is asked again has another.
        calls: The seats' calls.
    """

    panel: str
    run_id: str
    calls: tuple[Call, ...]


class VerdictRow(_Row):
    """One judge's verdict on one criterion of one text; the same text of two arms is judged once.

    Args:
        task: The task's id.
        text: The text's digest.
        judge: Name of the judge's model.
        verdict: The verdict, with its bill.
    """

    task: str
    text: str
    judge: str
    verdict: Verdict


def digest(text: str) -> str:
    """Return the digest that stands for a graded text: the start of its SHA-256, as hex digits."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
