"""From a results folder's rows to scores: by rubric where a judge has been, by reference at once."""

from collections.abc import Iterable, Sequence

from fusion_tool.evals.reference import match_reference
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, digest
from fusion_tool.evals.scoring import TaskScore, score_rubric
from fusion_tool.evals.tasks import Task
from fusion_tool.evals.verdicts import Verdict


def scores_of(results: Results, rows: Iterable[AnswerRow]) -> dict[str, TaskScore]:
    """One arm's scores by task id.

    Args:
        results: The folder.
        rows: The arm's answers, one a task.
    """
    verdicts, tasks = results.known_verdicts(), {task.id: task for task in results.tasks.tasks}
    passes = results.manifest.passes
    return {
        row.task: _score(tasks[row.task], row, verdicts.get((row.task, digest(row.text)), ()), passes)
        for row in rows
        if row.task in tasks
    }


def _score(task: Task, row: AnswerRow, verdicts: Sequence[Verdict], passes: int) -> TaskScore:
    if row.reason is not None or row.refused:
        return TaskScore(task=task.id, domain=task.domain, score=None, refused=row.refused)
    if task.rubric:
        return score_rubric(task, verdicts, passes=passes)
    right = float(match_reference(task, row.answer).right)
    return TaskScore(task=task.id, domain=task.domain, score=right, pass_rate=right)
