"""The runs of an evaluation: each arm on each task, within the budget."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from fusion_tool.budget.pricing import is_priced
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import BudgetExceeded, ConfigError, FusionError, PanelFailed, Reason
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.costs import EvalBudget, grading_usd
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, PanelRow
from fusion_tool.evals.shared_panels import SharedPanels, panel_key
from fusion_tool.evals.storage import unwritable_error
from fusion_tool.evals.tasks import Task, with_contamination_guard

Phase: TypeAlias = Literal["answers", "verdicts"]


class EvalProgress:
    """The progress of an evaluation; this base class ignores it, subclasses show it."""

    def start_phase(self, phase: Phase, total: int) -> None:
        """Begin a phase of `total` steps."""

    def advance(self) -> None:
        """Count one step as done."""

    def add_calls(self, calls: Sequence[Call]) -> None:
        """Count calls that were made and are paid for."""


@dataclass
class RunCounts:
    """Numbers of runs by outcome.

    Args:
        answered: Runs that gave an answer, now or earlier.
        failed: Runs that gave none, by reason.
        not_begun: Runs that were not begun because they could have passed the limit.
    """

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    not_begun: int = 0


async def run_arms(  # noqa: PLR0913 - keyword options, each with a default
    results: Results,
    arms: Sequence[Arm],
    tasks: Sequence[Task],
    *,
    budget: EvalBudget,
    concurrency: int = 4,
    judge: Panelist | None = None,
    progress: EvalProgress | None = None,
) -> RunCounts:
    """Let `arms` answer those of `tasks` that they have not answered yet.

    Args:
        results: The folder that receives the rows.
        arms: The arms to run.
        tasks: The tasks to answer.
        budget: The dollars that may be spent.
        concurrency: Runs at once.
        judge: The model that will grade, whose cost is kept back; `None` for no grading.
        progress: Receives the progress; `None` for none.

    Raises:
        ConfigError: An arm cannot work here.
        FusionError: The folder cannot be written; what was written before is kept.
    """
    from fusion_tool.api.run_store import open_store

    progress, room = progress or EvalProgress(), asyncio.Semaphore(concurrency)

    def add_panel(panel: PanelRow) -> None:
        if results.add_panel(panel):
            progress.add_calls(panel.calls)

    async with open_store(results.folder / "panels.sqlite") as store:
        runner = ArmRunner(results, SharedPanels(store, budget.session, add_panel), budget, judge, progress)

        async def run_arm(arm: Arm, task: Task) -> None:
            async with room:
                await runner.answer(arm, task)

        try:
            async with asyncio.TaskGroup() as group:
                for arm, task in pending_runs(results, arms, tasks):
                    group.create_task(run_arm(arm, task))
        except ExceptionGroup as group_error:
            # Why a run fails is in its row; only what stops all of them, such as a full disk, gets here.
            raise group_error.exceptions[0] from None
    return _count_runs(results, arms, tasks)


def pending_runs(results: Results, arms: Sequence[Arm], tasks: Sequence[Task]) -> list[tuple[Arm, Task]]:
    """Return what is not answered yet, a task's arms together, so that a limit leaves whole tasks."""
    rows = results.answer_rows
    return [
        (arm, task)
        for task in tasks
        for arm in arms
        if (row := rows.get((arm.name, task.id))) is None or not row.is_final
    ]


@dataclass(frozen=True)
class ArmRunner:
    """The runner of single arms on single tasks: within the budget, each run into its row."""

    results: Results
    panels: SharedPanels
    budget: EvalBudget
    judge: Panelist | None
    progress: EvalProgress

    async def answer(self, arm: Arm, task: Task) -> None:
        """Run `arm` on `task` and store its row; no row where the budget has no room for the run."""
        # Together with its grading: an answer that cannot be graded any more is paid for in vain.
        later = grading_usd(task, self.judge, self.results.manifest.passes) if self.judge else 0.0
        async with self.budget.reserve(_worst_usd(arm, task), later) as is_granted:
            if not is_granted:
                return
            try:
                row = await self._row(arm, task)
            except sqlite3.Error as error:
                raise unwritable_error(self.results.folder, str(error)) from error
            self.results.add_answer(row)
            self.progress.advance()
            self.progress.add_calls(row.own_calls)
            # After the row is written: a process that is killed in between still has the run, and pays nothing twice.
            if arm.config is not None:
                has_failed = row.reason is not None and not row.is_refusal
                await self.panels.discard(arm.name, task.question, self._config(arm, task), failed=has_failed)

    async def _row(self, arm: Arm, task: Task) -> AnswerRow:
        if arm.kind == "replay" and task.id not in arm.recorded:
            return AnswerRow.of_failure(arm.name, task.id, "empty", "the recording has no such task")
        if arm.config is None:
            recorded = arm.recorded[task.id]
            bill = {"cost_usd": recorded.cost_usd, "seconds": recorded.seconds}
            return AnswerRow(arm=arm.name, task=task.id, answer=recorded.answer or "", **bill)
        config = self._config(arm, task)
        panel = None if arm.kind == "replay" else panel_key(task.question, config)
        try:
            if arm.kind == "replay":
                recorded = arm.recorded[task.id]
                result = await self.panels.continue_recorded(arm.name, task.question, recorded, config)
            else:
                result = await self.panels.answer(arm.name, task.question, config)
        except PanelFailed as error:
            # With the panel's key, so that the seats' calls count once, as those of a panel that answered.
            return _failed_row(arm, task, error).model_copy(update={"panel": panel})
        except BudgetExceeded as error:
            return AnswerRow.of_failure(arm.name, task.id, "budget", str(error))
        return self._check_limit(AnswerRow.of_result(arm.name, task.id, result, panel), config)

    def _config(self, arm: Arm, task: Task) -> FusionConfig:
        if arm.config is None:
            raise ValueError(f"{arm.name} asks nobody")
        # For this task alone: every page is compared with every fragment, and DRACO has thousands of them.
        return with_contamination_guard(arm.config, self.results.tasks.only([task.id]))

    def _check_limit(self, row: AnswerRow, config: FusionConfig) -> AnswerRow:
        """Mark an answer that the evaluation's own limit cut short, for it says nothing of its arm."""
        # A limit of the arm's own is part of what the arm is, and what it makes worse is the arm's doing.
        has_own_limits = config.limits.usd is not None or config.limits.tokens is not None
        if self.budget.session is None or has_own_limits or row.result is None:
            return row
        if "budget_exhausted" not in row.result.degraded:
            return row
        return row.model_copy(update={"reason": "budget", "message": "the evaluation's limit cut it short"})


async def check_arms(arms: Sequence[Arm], *, limited: bool) -> None:
    """Check that every arm can work here, before anything is paid for.

    Args:
        arms: The arms to run.
        limited: Whether the evaluation has a limit in dollars, for which every model needs a known price.

    Raises:
        ConfigError: An arm cannot, or has no known price and there is a limit.
    """
    from fusion_tool.graph.preflight import check_run

    for arm in arms:
        if arm.config is None:
            continue
        try:
            if arm.kind == "replay":
                _check_roles(arm.config)
            else:
                await check_run(arm.config, ())
        except FusionError as error:
            raise ConfigError(f"'{arm.name}': {error}", field="arm") from None
        if limited and not arm.config.allow_unpriced:
            for model in arm.models:
                if not is_priced(model.model_name):
                    raise ConfigError(
                        f"'{arm.name}': '{model.model_name}' has no known price, so that no limit can be kept; "
                        "--allow-unpriced runs it uncounted",
                        field="arm",
                    )


def _check_roles(config: FusionConfig) -> None:
    from fusion_tool.models.factory import check_models

    verifier = [("verify", config.verifier)] if config.verifier else []
    check_models([("judge", config.judge_or_default), ("synthesizer", config.synthesizer_or_default), *verifier])


def _worst_usd(arm: Arm, task: Task) -> float:
    from fusion_tool.graph.estimate import estimate

    return estimate(arm.config, task.question).worst.usd or 0.0 if arm.config else 0.0


def _failed_row(arm: Arm, task: Task, error: PanelFailed) -> AnswerRow:
    """Return the row of a panel without a usable answer; `refused` where each of its models refused."""
    reasons: list[Reason] = [row["reason"] for row in error.failed_models if row["stage"] == "panelist"]
    # A refusal is final; with any other reason among them, another try may bring an answer.
    passing = [reason for reason in reasons if reason != "refused"]
    reason: Reason = passing[-1] if passing else "refused" if reasons else "empty"
    calls = tuple(Usage.model_validate(error.usage).calls) if error.usage else ()
    return AnswerRow.of_failure(arm.name, task.id, reason, str(error), calls)


def _count_runs(results: Results, arms: Sequence[Arm], tasks: Sequence[Task]) -> RunCounts:
    counts, rows = RunCounts(), results.answer_rows
    for arm in arms:
        for task in tasks:
            row = rows.get((arm.name, task.id))
            if row is None:
                counts.not_begun += 1
            elif row.reason is None:
                counts.answered += 1
            else:
                counts.failed[row.reason] += 1
    return counts
