"""The costs of an evaluation: its budget (`EvalBudget`), its bill (`eval_bill`) and its forecast (`forecast_costs`).

No run begins and no call is made that could pass the limit. The bill is what was really paid: shared panels once,
failed attempts included.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fusion_tool.budget.amounts import ANSWER_TOKENS, BYTES_A_TOKEN
from fusion_tool.budget.pricing import cost_of
from fusion_tool.budget.session import Session
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import Limits, Panelist
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.results import Results
from fusion_tool.evals.shared_panels import panel_key
from fusion_tool.evals.tasks import Task, TaskSet, with_contamination_guard
from fusion_tool.graph.estimate import estimate
from fusion_tool.graph.prompts import render


class EvalBudget:
    """The budget of a results folder, over all commands that work on it.

    Args:
        limit: US dollars that the folder may cost in all; `None` for no limit.
        spent: US dollars that earlier commands spent.
        kept_back: US dollars that the grading of the present answers may cost.
    """

    def __init__(self, limit: float | None, spent: float = 0.0, kept_back: float = 0.0) -> None:
        left = None if limit is None else limit - spent
        self.session = None if left is None or left <= 0 else Session(Limits(usd=left))
        """Every call is reserved in its ledger; `None` without a limit, or where nothing is left."""
        # `Limits` refuses 0, so an empty budget has no session; and having none would by itself mean having no limit.
        self._is_empty = left is not None and left <= 0
        self._kept_back, self._reserved = kept_back, 0.0
        self._changed = asyncio.Condition()

    @property
    def remaining(self) -> float | None:
        """US dollars that are neither spent nor kept back; `None` without a limit."""
        if self._is_empty:
            return 0.0
        return None if self.session is None else max(0.0, self.session.ledger.remaining("usd") - self._kept_back)

    @asynccontextmanager
    async def reserve(self, worst: float, later: float = 0.0) -> AsyncIterator[bool]:
        """Reserve the dollars of one run, waiting while runs under way may still leave some of what they reserved.

        Args:
            worst: US dollars that the run may cost at most.
            later: US dollars to keep back for its grading.

        Yields:
            Whether there was room.
        """
        is_granted = await self._try_reserve(worst + later)
        try:
            yield is_granted
        finally:
            if is_granted:
                # What the run really cost is in the session's ledger by now, so its reservation goes; its answer is
                # still to be graded, and the dollars for that stay out of reach for the runs that follow.
                async with self._changed:
                    self._reserved -= worst + later
                    self._kept_back += later
                    self._changed.notify_all()

    async def _try_reserve(self, usd: float) -> bool:
        async with self._changed:
            while True:
                left = self.remaining
                if left is None or usd <= left - self._reserved:
                    self._reserved += usd
                    return True
                if self._reserved <= 0:  # no run is under way that could give dollars back
                    return False
                # Waits rather than gives up: runs cost a fraction of their worst case, so that room comes back.
                await self._changed.wait()


@dataclass(frozen=True)
class Bill:
    """The bill of a folder, by purpose."""

    panels: Usage
    """The seats' calls; a panel that arms share counts once."""
    answers: Usage
    """The calls of the arms' judges and synthesizers."""
    grading: Usage

    @property
    def total(self) -> Usage:
        """The whole bill."""
        return Usage.of([*self.panels.calls, *self.answers.calls, *self.grading.calls])


def eval_bill(results: Results) -> Bill:
    """Return what was paid so far, without runs that are under way."""
    # A shared panel's calls are in the row of each arm that continues from it; they are counted from the panel's own.
    arm_calls = [call for row in results.paid for call in row.own_calls]
    panel_calls = [call for row in results.panels for call in row.calls]
    return Bill(
        panels=Usage.of([*panel_calls, *_calls_of_stage(arm_calls, panel=True)]),
        answers=Usage.of(_calls_of_stage(arm_calls, panel=False)),
        grading=Usage.of(call for row in results.verdicts for call in row.verdict.calls),
    )


def _calls_of_stage(calls: list[Call], *, panel: bool) -> list[Call]:
    return [call for call in calls if (call.stage == "panelist") is panel]


VERDICT_TOKENS = 250
"""Assumed length of a verdict, reasoning included."""
_WORST_ANSWER_BYTES, _WORST_VERDICT_TOKENS = 40_000, 2000
"""Sizes that graded answers and verdicts hardly ever pass, for what must be kept back."""

ASSUMPTIONS = (
    f"a graded answer has {ANSWER_TOKENS:,} tokens, a verdict {VERDICT_TOKENS:,}; no cache discount",
    "panels that arms share are asked once; a routed arm counts as its whole panel",
)
"""Assumptions of a forecast, besides those of `fusion_tool.graph.estimate`."""


@dataclass(frozen=True)
class ArmForecast:
    """The expected costs of one arm over all tasks.

    Args:
        arm: The arm's name.
        runs: Number of runs.
        expected: Expected US dollars, shared panels counted with their first arm; `None` where no price is known.
        worst: US dollars at most, likewise.
        verdicts: Number of verdicts on its answers.
        grading: US dollars of the verdicts; `None` where the judge's price is unknown.
        unpriced: Models without a known price.
    """

    arm: str
    runs: int
    expected: float | None
    worst: float | None
    verdicts: int
    grading: float | None
    unpriced: tuple[str, ...]


def forecast_costs(
    arms: Sequence[Arm], tasks: TaskSet, judge: Panelist | None, *, passes: int = 1
) -> list[ArmForecast]:
    """Estimate the costs of `arms` on `tasks`, arm by arm, without any call.

    Args:
        arms: The arms, in the order in which they run: the first of those that share a panel pays for it.
        tasks: The task set.
        judge: The model that grades; `None` for no grading.
        passes: Verdicts on each criterion.
    """
    panel_keys: set[str] = set()
    return [_forecast(arm, tasks, judge, passes, panel_keys) for arm in arms]


def _forecast(arm: Arm, tasks: TaskSet, judge: Panelist | None, passes: int, panel_keys: set[str]) -> ArmForecast:
    expected, worst, unpriced = list[float | None](), list[float | None](), dict[str, None]()
    for task in tasks.tasks if arm.config else ():
        assert arm.config  # noqa: S101 - for the type checker
        bill = estimate(arm.config, task.question)
        unpriced |= dict.fromkeys(bill.unpriced)
        # With the guard, as the run will be: its exclusions are part of what the panel's key is made from.
        key = panel_key(task.question, with_contamination_guard(arm.config, tasks.only([task.id])))
        is_shared = arm.kind == "replay" or (key is not None and key in panel_keys)
        panel_keys |= {key} if key else set()
        rows = [row for row in bill.rows if not (is_shared and row.stage == "panelist")]
        expected += [row.expected.usd for row in rows]
        # The bill's own worst case, not the sum of its rows': only as a whole is it capped by the arm's limits.
        worst += [row.worst.usd for row in rows] if is_shared else [bill.worst.usd]
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
    """Return what the verdicts on one answer may cost at most, in US dollars; 0 for a judge without a known price."""
    return _verdicts_usd(task, judge, passes, answer=_WORST_ANSWER_BYTES, verdict=_WORST_VERDICT_TOKENS) or 0.0


def _verdicts_usd(
    task: Task,
    judge: Panelist,
    passes: int,
    *,
    answer: int = ANSWER_TOKENS * BYTES_A_TOKEN,
    verdict: int = VERDICT_TOKENS,
) -> float | None:
    """Return US dollars of the verdicts on an answer of `answer` bytes, each `verdict` tokens long."""
    # From the prompts themselves, so that a longer one shows in the forecast.
    framed = render("grader", nonce="0" * 12) + render("grader_statement", question="", answer="", statement="")
    fixed = len((framed + task.question).encode()) + answer
    costs = [
        cost_of(
            judge.model_name,
            input_tokens=(fixed + len(criterion.requirement.encode())) // BYTES_A_TOKEN,
            output_tokens=min(verdict, judge.max_tokens or verdict),
        )[0]
        for criterion in task.rubric
    ]
    total = _sum(costs)
    return None if total is None else total * passes


def _sum(costs: Sequence[float | None]) -> float | None:
    # Nothing to pay is 0; only costs of which none is known are unknown.
    prices = [cost for cost in costs if cost is not None]
    return sum(prices) if prices or not costs else None
