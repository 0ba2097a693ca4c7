"""What a results folder has cost: what was really paid, shared panels once, failed tries included."""

from dataclasses import dataclass

from fusion_tool.evals.results import Results
from fusion_tool.usage import Call, Usage


@dataclass(frozen=True)
class Bill:
    """The calls of a folder by what they were for."""

    panels: Usage
    """What seats were asked."""
    answers: Usage
    """Judges and synthesizers of the arms."""
    grading: Usage

    @property
    def total(self) -> Usage:
        """All of it."""
        return Usage.of([*self.panels.calls, *self.answers.calls, *self.grading.calls])


def bill_of(results: Results) -> Bill:
    """What was paid so far, but for runs that are under way."""
    own = [call for row in results.paid for call in row.own_calls]
    seats = [call for row in results.panels for call in row.calls]
    return Bill(
        panels=Usage.of([*seats, *_of_stage(own, panel=True)]),
        answers=Usage.of(_of_stage(own, panel=False)),
        grading=Usage.of(call for row in results.verdicts for call in row.verdict.calls),
    )


def _of_stage(calls: list[Call], *, panel: bool) -> list[Call]:
    return [call for call in calls if (call.stage == "panelist") is panel]
