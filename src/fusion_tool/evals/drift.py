"""Drift: the same models asked the same canary tasks again, and compared with their earlier scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fusion_tool.config.serialization import load_stored_config
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.evaluate import EvalOptions, evaluate
from fusion_tool.evals.results import Results
from fusion_tool.evals.router_profiles import mark_stale
from fusion_tool.evals.runner import EvalProgress
from fusion_tool.evals.scoring import score_rows
from fusion_tool.evals.statistics import PairedComparison, compare, holm
from fusion_tool.evals.tasks import TaskSet
from fusion_tool.routing.profiles import retiring_models


@dataclass(frozen=True)
class Drift:
    """The findings of a watch.

    Args:
        comparisons: Each model now against itself then, p-values corrected for all of them.
        unanswered: Models that answered no canary, with the reason.
        retiring: Models that are retired or retire within 30 days, with the day.
        folder: The folder of the new results.
        not_begun: Number of runs for which the limit left no room.
        stale: Models whose measured scores are marked stale, as they dropped; each by its profile's id.
    """

    comparisons: list[PairedComparison]
    unanswered: Mapping[str, str]
    retiring: Mapping[str, date]
    folder: Path
    not_begun: int = 0
    stale: tuple[str, ...] = ()

    @property
    def alarms(self) -> list[str]:
        """The alarms, one line each."""
        return [
            *(comparison.sentence for comparison in self.comparisons if comparison.finding == "worse"),
            *(f"{model} gives no answers: {reason}" for model, reason in self.unanswered.items()),
            *(f"what was measured of {model} is stale: the router does not use it any more" for model in self.stale),
            *(f"{model} retires on {day}" for model, day in self.retiring.items()),
            *(
                [f"{self.not_begun} runs were not begun, for they could have passed --max-usd"]
                if self.not_begun
                else []
            ),
        ]


async def watch(  # noqa: PLR0913 - what is compared with what, and how
    canaries: TaskSet,
    baseline: Path,
    folder: Path,
    options: EvalOptions,
    *,
    today: date,
    progress: EvalProgress | None = None,
) -> Drift:
    """Ask each single model of `baseline` some of its tasks, the canaries, again, and compare.

    Args:
        canaries: Tasks that the baseline holds as well, word for word.
        baseline: A results folder that has arms of a single model.
        folder: The folder for the new results.
        options: Concurrency and limit; the judge and the passes are the baseline's.
        today: The day against which retirements are measured.
        progress: Receives the progress; `None` for none.

    Raises:
        ConfigError: The baseline has no arm of one model, not these tasks, or cannot be graded.
        FusionError: As `evaluate`.
    """
    then = Results(baseline)
    _require_same_tasks(canaries, then)
    arms = _models(then)
    judge = then.manifest.judge_model
    if judge is None and any(task.rubric for task in canaries.tasks):
        raise ConfigError(f"{baseline} is not graded: fusion-tool eval grade {baseline} --judge PROVIDER:MODEL")
    # The baseline's judge and passes: a difference must come from the models, not from who graded them.
    graded_as_then = EvalOptions(
        judge, then.manifest.passes, options.concurrency, options.usd, allow_unpriced=options.allow_unpriced
    )
    now, counts = await evaluate(folder, canaries, arms, graded_as_then, progress)
    ids = {task.id for task in canaries.tasks}
    comparisons = [
        compare(f"{arm.name} now", _scores(now, arm.name, ids), f"{arm.name} then", _scores(then, arm.name, ids))
        for arm in arms
    ]
    # Corrected for all models: with ten of them, a watch that runs every night would often raise a false alarm.
    corrected = holm(comparisons)
    worse = {arm.models[0].model_name for arm, one in zip(arms, corrected, strict=True) if one.finding == "worse"}
    return Drift(
        corrected,
        _unanswered_tasks(now, arms),
        retiring_models((model.model_name for arm in arms for model in arm.models), today),
        folder,
        counts.not_begun,
        tuple(mark_stale(sorted(worse), today)),
    )


def _require_same_tasks(canaries: TaskSet, baseline: Results) -> None:
    # Word for word, but for the exclusions: a reworded question has another difficulty, which would look like drift.
    baseline_tasks = {task.id: task for task in baseline.tasks.tasks}
    for task in canaries.tasks:
        if task.id not in baseline_tasks or baseline_tasks[task.id].model_dump(exclude={"exclude"}) != task.model_dump(
            exclude={"exclude"}
        ):
            raise ConfigError(f"'{task.id}' is not, or not so, among the tasks of {baseline.folder}", field="baseline")


def _models(baseline: Results) -> list[Arm]:
    arms = [
        Arm(name, "solo", load_stored_config(record.config))
        for name, record in baseline.manifest.arms.items()
        if record.config and record.kind == "solo"
    ]
    if not arms:
        raise ConfigError(
            f"{baseline.folder} has no arm of a single model: --arm solo:PROVIDER:MODEL", field="baseline"
        )
    return arms


def _scores(results: Results, arm: str, tasks: set[str]) -> dict[str, float | None]:
    # A refusal counts as 0: a model that begins to refuse what it answered has drifted.
    rows = [row for row in results.arm_rows(arm) if row.task in tasks]
    return {task: result.score_refusal_zero for task, result in score_rows(results, rows).items()}


def _unanswered_tasks(results: Results, arms: list[Arm]) -> dict[str, str]:
    reasons = {}
    for arm in arms:
        rows = results.arm_rows(arm.name)
        if rows and all(row.reason for row in rows):
            reasons[arm.name] = str(rows[-1].reason)
    return reasons
