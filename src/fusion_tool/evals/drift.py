"""Drift: the same models on the same canary tasks again, compared with how they did then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fusion_tool.config.serialization import restored
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.evaluate import Terms, evaluate
from fusion_tool.evals.results import Results
from fusion_tool.evals.runner import Watcher
from fusion_tool.evals.scoring import scores_of
from fusion_tool.evals.statistics import Comparison, compare, holm
from fusion_tool.evals.tasks import TaskSet
from fusion_tool.routing.profiles import load_profiles, profile_of

SOON = timedelta(days=30)


@dataclass(frozen=True)
class Drift:
    """What a watch found.

    Args:
        comparisons: Each model now against itself then, p-values corrected for all of them.
        unanswered: Models that gave no answer to any canary, with the reason.
        retiring: Models that are retired or will be within 30 days, with the day.
        folder: Where the new results are.
        not_begun: Runs for which the limit left no room.
    """

    comparisons: list[Comparison]
    unanswered: Mapping[str, str]
    retiring: Mapping[str, date]
    folder: Path
    not_begun: int = 0

    @property
    def alarms(self) -> list[str]:
        """What is wrong, a line each."""
        return [
            *(one.sentence for one in self.comparisons if one.finding == "worse"),
            *(f"{model} gives no answers: {reason}" for model, reason in self.unanswered.items()),
            *(f"{model} retires on {day}" for model, day in self.retiring.items()),
            *(
                [f"{self.not_begun} runs were not begun, for they could have passed --max-usd"]
                if self.not_begun
                else []
            ),
        ]


async def watch(  # noqa: PLR0913 - what is compared with what, and how
    canaries: TaskSet, baseline: Path, folder: Path, terms: Terms, *, today: date, watcher: Watcher | None = None
) -> Drift:
    """Ask each single model of `baseline` the canaries again and compare.

    Args:
        canaries: Tasks that the baseline holds as well, word for word.
        baseline: A results folder with arms of one model each.
        folder: Receives the new results.
        terms: How; the judge and the passes are the baseline's.
        today: The day.
        watcher: Told how it goes.

    Raises:
        ConfigError: The baseline has no arm of one model, not these tasks, or cannot be graded.
        FusionError: As `evaluate`.
    """
    then = Results(baseline)
    _refuse_other_tasks(canaries, then)
    arms = _models(then)
    judge = then.manifest.judge_model
    if judge is None and any(task.rubric for task in canaries.tasks):
        raise ConfigError(f"{baseline} is not graded: fusion-tool eval grade {baseline} --judge PROVIDER:MODEL")
    own = Terms(judge, then.manifest.passes, terms.concurrency, terms.usd, allow_unpriced=terms.allow_unpriced)
    now, asked = await evaluate(folder, canaries, arms, own, watcher)
    wanted = {task.id for task in canaries.tasks}
    compared = [
        compare(f"{arm.name} now", _scores(now, arm.name, wanted), f"{arm.name} then", _scores(then, arm.name, wanted))
        for arm in arms
    ]
    return Drift(holm(compared), _unanswered(now, arms), _retiring(arms, today), folder, asked.not_begun)


def _refuse_other_tasks(canaries: TaskSet, then: Results) -> None:
    known = {task.id: task for task in then.tasks.tasks}
    for task in canaries.tasks:
        if task.id not in known or known[task.id].model_dump(exclude={"exclude"}) != task.model_dump(
            exclude={"exclude"}
        ):
            raise ConfigError(f"'{task.id}' is not, or not so, among the tasks of {then.folder}", field="baseline")


def _models(then: Results) -> list[Arm]:
    arms = [
        Arm(name, "solo", restored(record.config))
        for name, record in then.manifest.arms.items()
        if record.config and record.kind == "solo"
    ]
    if not arms:
        raise ConfigError(f"{then.folder} has no arm of a single model: --arm solo:PROVIDER:MODEL", field="baseline")
    return arms


def _scores(results: Results, arm: str, tasks: set[str]) -> dict[str, float | None]:
    rows = [row for (name, task), row in results.answers.items() if name == arm and task in tasks]
    return {task: 0.0 if one.refused else one.score for task, one in scores_of(results, rows).items()}


def _unanswered(now: Results, arms: list[Arm]) -> dict[str, str]:
    found = {}
    for arm in arms:
        rows = [row for (name, _), row in now.answers.items() if name == arm.name]
        if rows and all(row.reason for row in rows):
            found[arm.name] = str(rows[-1].reason)
    return found


def _retiring(arms: list[Arm], today: date) -> dict[str, date]:
    profiles, found = load_profiles(), {}
    for arm in arms:
        for one in arm.models:
            known = profile_of(one.model_name, profiles)
            if known and known.retires_on and known.retires_on <= today + SOON:
                found[one.model_name] = known.retires_on
    return found
