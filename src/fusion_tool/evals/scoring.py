"""Scores of tasks (`TaskScore`) and arms (`ArmScore`), computed from verdicts and references.

A task's score is `clamp(sum of the weights met / sum of the positive weights, 0, 1)`, averaged over passes; an arm's is
the mean over tasks (DRACO, arXiv:2602.11685). A missing verdict counts neither way: its criterion is left out of
both sums, and below a floor of coverage the task has no score.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from fusion_tool.evals.graders.reference import match_reference
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, digest
from fusion_tool.evals.statistics import Mean, mean_of
from fusion_tool.evals.tasks import Criterion, Task

COVERAGE = 0.95
"""The share of a task's verdicts below which it has no score."""


class TaskScore(BaseModel):
    """One arm's score on one task.

    Args:
        task: The task's id.
        domain: The task's domain.
        score: 0 to 1; `None` where the answer was refused, is missing, or too few verdicts are in.
        pass_rate: Share of criteria passed, all weighing the same: a merit met, a flaw (negative weight) not met.
        axes: The score of each axis by itself; an axis without a positive weight has none.
        coverage: Share of the verdicts that are in; `None` for a task that no judge graded.
        refused: Whether the arm declined to answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    domain: str = ""
    score: float | None
    pass_rate: float | None = None
    axes: dict[str, float] = {}
    coverage: float | None = None
    refused: bool = False

    @property
    def score_refusal_zero(self) -> float | None:
        """The score, 0 for a refusal: whoever relies on the model gets no answer from it."""
        return 0.0 if self.refused else self.score


class ArmScore(BaseModel):
    """One arm's scores over its tasks.

    Args:
        tasks: Number of tasks that it was run on.
        scored: Number of tasks with a score.
        refused: Number of tasks that it declined to answer.
        score: Mean over the scored tasks, refusals left out; `None` where no task has a score.
        score_refusals_zero: The same with 0 for each refusal.
        pass_rate: Mean of the tasks' unweighted pass rates; `None` where no task has one.
        axes: Mean score by axis.
        domains: Mean score by domain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: int
    scored: int
    refused: int
    score: Mean | None
    score_refusals_zero: Mean | None
    pass_rate: float | None
    axes: dict[str, Mean]
    domains: dict[str, Mean]

    @property
    def answered_share(self) -> float:
        """Share of the tasks that were not refused."""
        return 1 - self.refused / self.tasks if self.tasks else 1.0


def rubric_score(rubric: Iterable[Criterion], met: Mapping[str, bool]) -> float | None:
    """Return the score of one pass, 0 to 1.

    Args:
        rubric: The criteria.
        met: Verdicts by criterion id; a criterion without one is left out.

    Returns:
        `None` where no criterion with a positive weight has a verdict.
    """
    criteria = [criterion for criterion in rubric if criterion.id in met]
    most = sum(criterion.weight for criterion in criteria if criterion.weight > 0)
    if most <= 0:
        return None
    # Clamped: flaws weigh less than 0, and may outweigh all merits.
    return min(1.0, max(0.0, sum(criterion.weight for criterion in criteria if met[criterion.id]) / most))


def score_rubric(
    task: Task, verdicts: Sequence[Verdict], *, passes: int = 1, floor: float = COVERAGE, refused: bool = False
) -> TaskScore:
    """Return the score of one answer to a task with a rubric.

    Args:
        task: A task with a rubric.
        verdicts: The verdicts of all passes, in any order.
        passes: Number of passes that were asked for.
        floor: Least coverage, 0 to 1, of a task with a score.
        refused: Whether the arm declined to answer; then there is no score.
    """
    unscored = TaskScore(task=task.id, domain=task.domain, score=None, refused=refused)
    if refused:
        return unscored
    # Pass by pass, then the mean: a majority over passes would hide how much the judge wavers.
    criteria = {criterion.id for criterion in task.rubric}
    rounds: dict[int, dict[str, bool]] = defaultdict(dict)
    for verdict in verdicts:
        if verdict.met is not None and verdict.criterion in criteria and verdict.repeat <= passes:
            rounds[verdict.repeat][verdict.criterion] = verdict.met
    coverage = sum(map(len, rounds.values())) / (len(criteria) * passes)
    # A few missing verdicts matter little; with many, the score would be one of whatever happened to be judged.
    if coverage < floor:
        return unscored.model_copy(update={"coverage": coverage})

    def over_passes(of: Callable[[Mapping[str, bool]], float | None]) -> float | None:
        return _mean(of(met) for met in rounds.values())

    axes = dict.fromkeys(criterion.axis for criterion in task.rubric if criterion.axis)
    # The axis is bound as a default: a lambda looks a loop's variable up when it is called.
    by_axis = {
        axis: over_passes(lambda met, axis=axis: rubric_score((c for c in task.rubric if c.axis == axis), met))  # type: ignore[misc] # mypy infers no default of a lambda
        for axis in axes
    }
    update = {
        "score": over_passes(lambda met: rubric_score(task.rubric, met)),
        "pass_rate": over_passes(lambda met: _pass_rate(task.rubric, met)),
        "axes": {axis: value for axis, value in by_axis.items() if value is not None},
        "coverage": coverage,
    }
    return unscored.model_copy(update=update)


def _pass_rate(rubric: Iterable[Criterion], met: Mapping[str, bool]) -> float | None:
    return _mean(float(met[c.id] == (c.weight >= 0)) for c in rubric if c.id in met)


def score_arm(scores: Iterable[TaskScore]) -> ArmScore:
    """Return an arm's scores over its tasks, with intervals."""
    rows = list(scores)
    axes, domains = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for row in rows:
        for axis, value in row.axes.items():
            axes[axis].append(value)
        if row.score is not None and row.domain:
            domains[row.domain].append(row.score)
    values = [row.score for row in rows if row.score is not None]
    return ArmScore(
        tasks=len(rows),
        scored=len(values),
        refused=sum(row.refused for row in rows),
        score=_mean_in_bounds(values),
        # Both figures: left out, refusals flatter a model that refuses what is hard; as 0, they hide how good it is.
        score_refusals_zero=_mean_in_bounds(values + [0.0 for row in rows if row.refused]),
        pass_rate=_mean(row.pass_rate for row in rows),
        axes={name: mean_of(values, bounds=(0, 1)) for name, values in axes.items()},
        domains={name: mean_of(values, bounds=(0, 1)) for name, values in sorted(domains.items())},
    )


def _mean_in_bounds(values: Sequence[float]) -> Mean | None:
    return mean_of(values, bounds=(0, 1)) if values else None


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers else None


def score_rows(results: Results, rows: Iterable[AnswerRow]) -> dict[str, TaskScore]:
    """Return one arm's scores by task id.

    Args:
        results: The folder.
        rows: The arm's rows, one for each task.
    """
    verdicts, tasks = results.known_verdicts(), {task.id: task for task in results.tasks.tasks}
    passes = results.manifest.passes
    return {
        row.task: _score(tasks[row.task], row, verdicts.get((row.task, digest(row.text)), ()), passes)
        for row in rows
        if row.task in tasks
    }


def _score(task: Task, row: AnswerRow, verdicts: Sequence[Verdict], passes: int) -> TaskScore:
    if row.reason is not None or row.is_refusal:
        return TaskScore(task=task.id, domain=task.domain, score=None, refused=row.is_refusal)
    if task.rubric:
        return score_rubric(task, verdicts, passes=passes)
    # Of the answer alone, without its list of sources, whose numbers could be taken for the final answer.
    right = float(match_reference(task, row.answer).right)
    return TaskScore(task=task.id, domain=task.domain, score=right, pass_rate=right)
