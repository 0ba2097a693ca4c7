"""The bill before it is spent: what arms are expected to cost on a task set, and what grading them is."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_tool.config import Panelist
from fusion_tool.estimate import ANSWER_TOKENS, BYTES_A_TOKEN, estimate
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.contamination import guarded
from fusion_tool.evals.panels import panel_key
from fusion_tool.evals.tasks import Task, TaskSet
from fusion_tool.pricing import cost_of
from fusion_tool.prompts import render

VERDICT_TOKENS = 250
"""What a judge writes for one criterion, reasoning included."""
_WORST_ANSWER_BYTES, _WORST_VERDICT_TOKENS = 40_000, 2000

ASSUMPTIONS = (
    f"a graded answer has {ANSWER_TOKENS:,} tokens, a verdict {VERDICT_TOKENS:,}; no cache discount",
    "panels that arms share are asked once; a routed arm is reckoned as its whole panel",
)
"""What the figures rest on, besides those of `fusion_tool.estimate`."""


@dataclass(frozen=True)
class ArmForecast:
    """What one arm takes over all tasks.

    Args:
        arm: Its name.
        runs: How many are still to be made.
        expected: US dollars, shared panels counted with their first arm; `None` where no price is known.
        worst: At most; likewise.
        verdicts: How many verdicts its answers take.
        grading: US dollars of them; `None` where the judge's price is not known.
        unpriced: Models without a known price.
    """

    arm: str
    runs: int
    expected: float | None
    worst: float | None
    verdicts: int
    grading: float | None
    unpriced: tuple[str, ...]


def forecast(arms: Sequence[Arm], tasks: TaskSet, judge: Panelist | None, *, passes: int = 1) -> list[ArmForecast]:
    """The bill of `arms` on `tasks`, arm by arm. Nothing is asked of anybody.

    Args:
        arms: They.
        tasks: They.
        judge: Who grades; `None` where nobody does.
        passes: Verdicts a criterion.
    """
    seen: set[str] = set()
    return [_forecast(arm, tasks, judge, passes, seen) for arm in arms]


def _forecast(arm: Arm, tasks: TaskSet, judge: Panelist | None, passes: int, seen: set[str]) -> ArmForecast:
    expected, worst, unpriced = list[float | None](), list[float | None](), dict[str, None]()
    for task in tasks.tasks if arm.config else ():
        assert arm.config  # noqa: S101 - for the type checker
        bill = estimate(arm.config, task.question)
        unpriced |= dict.fromkeys(bill.unpriced)
        key = panel_key(task.question, guarded(arm.config, tasks.only([task.id])))
        shared = arm.kind == "replay" or (key is not None and key in seen)
        seen |= {key} if key else set()
        rows = [row for row in bill.rows if not (shared and row.stage == "panelist")]
        expected += [row.expected.usd for row in rows]
        worst += [row.worst.usd for row in rows] if shared else [bill.worst.usd]
    verdicts = sum(len(task.rubric) for task in tasks.tasks) * passes
    costs = [_verdicts_usd(task, judge, passes) for task in tasks.tasks if task.rubric] if judge else []
    return ArmForecast(
        arm=arm.name,
        runs=len(tasks.tasks) if arm.config else 0,
        expected=_sum(expected),
        worst=_sum(worst),
        verdicts=verdicts if judge else 0,
        grading=_sum(costs),
        unpriced=tuple(unpriced),
    )


def grading_usd(task: Task, judge: Panelist, passes: int) -> float:
    """What the verdicts on one answer may cost at most, in US dollars; an unpriced judge counts nothing."""
    return _verdicts_usd(task, judge, passes, answer=_WORST_ANSWER_BYTES, said=_WORST_VERDICT_TOKENS) or 0.0


def _verdicts_usd(
    task: Task, judge: Panelist, passes: int, *, answer: int = ANSWER_TOKENS * BYTES_A_TOKEN, said: int = VERDICT_TOKENS
) -> float | None:
    framed = render("grader", nonce="0" * 12) + render("grader_statement", question="", answer="", statement="")
    fixed = len((framed + task.question).encode()) + answer
    costs = [
        cost_of(
            judge.model_name,
            input_tokens=(fixed + len(criterion.requirement.encode())) // BYTES_A_TOKEN,
            output_tokens=min(said, judge.max_tokens or said),
        )[0]
        for criterion in task.rubric
    ]
    total = _sum(costs)
    return None if total is None else total * passes


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known or not costs else None
