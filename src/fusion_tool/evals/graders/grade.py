"""Grading of a results folder: each new text once, by the folder's judge, whichever arms gave it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fusion_tool.budget.pricing import is_priced
from fusion_tool.budget.session import Session
from fusion_tool.config.database import database_address
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.evals.graders.rubric import Grader, Verdict
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import VerdictRow, digest
from fusion_tool.evals.runner import EvalProgress
from fusion_tool.evals.tasks import Task
from fusion_tool.models.health import HealthTracker, tracker_at

_TEXTS_AT_ONCE = 16
"""Texts that are graded side by side."""


@dataclass(frozen=True)
class UngradedText:
    """A text to be graded.

    Args:
        task: Its task.
        text: The answer with its sources.
        verdicts: The verdicts that it has already.
    """

    task: Task
    text: str
    verdicts: tuple[Verdict, ...]

    def missing(self, passes: int) -> int:
        """Return the number of verdicts that it still needs for `passes` passes."""
        return len(self.task.rubric) * passes - sum(verdict.met is not None for verdict in self.verdicts)


def ungraded_texts(results: Results, *, arms: Sequence[str] | None = None, seats: bool = False) -> list[UngradedText]:
    """Return the texts that still need verdicts of the folder's judge.

    Args:
        results: The folder.
        arms: Names of the arms whose texts count; `None` for all.
        seats: Whether the seats' answers count, too.
    """
    verdicts, texts = results.known_verdicts(), dict[tuple[str, str], str]()
    tasks = {task.id: task for task in results.tasks.tasks if task.rubric}
    for (arm, task), row in results.answer_rows.items():
        # A refusal has no score: verdicts on it would be paid for nothing.
        if task not in tasks or (arms is not None and arm not in arms) or row.reason is not None or row.is_refusal:
            continue
        # By what the text says, not by whose it is: two arms that answer alike get one verdict, and pay for one.
        for text in (row.text, *(row.seat_texts().values() if seats else ())):
            texts.setdefault((task, digest(text)), text)
    rows = [
        UngradedText(tasks[task], text, tuple(verdicts.get((task, key), ()))) for (task, key), text in texts.items()
    ]
    return [row for row in rows if row.missing(results.manifest.passes)]


async def grade_all(
    results: Results,
    texts: Sequence[UngradedText],
    *,
    concurrency: int = 8,
    session: Session | None = None,
    progress: EvalProgress | None = None,
) -> None:
    """Get the verdicts that `texts` lack.

    Args:
        results: The folder that receives the rows; its manifest names the judge and the passes.
        texts: The texts of `ungraded_texts`.
        concurrency: Calls at once.
        session: The limits of the calls; `None` for none.
        progress: Receives each new verdict; `None` for none.

    Raises:
        ConfigError: The judge cannot be called.
        ValueError: The folder has no judge.
        FusionError: The folder cannot be written; what was written before is kept.
    """
    judge, progress = results.manifest.judge_model, progress or EvalProgress()
    if judge is None:
        raise ValueError("the folder has no judge")
    ledger = session.ledger if session else None
    grader = Grader(
        judge, passes=results.manifest.passes, concurrency=concurrency, ledger=ledger, health=_health(results)
    )
    # A text's prompts are all built when its grading begins: few texts at a time keep memory small.
    room = asyncio.Semaphore(_TEXTS_AT_ONCE)

    async def grade_text(text: UngradedText) -> None:
        key = digest(text.text)

        def store(verdict: Verdict) -> None:
            results.add_verdict(VerdictRow(task=text.task.id, text=key, judge=judge.model_name, verdict=verdict))
            progress.advance()
            progress.add_calls(verdict.calls)

        async with room:
            await grader.grade(text.task, text.text, verdicts=text.verdicts, on_verdict=store)

    try:
        async with asyncio.TaskGroup() as group:
            for text in texts:
                group.create_task(grade_text(text))
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None


def _health(results: Results) -> HealthTracker | None:
    """Return the process's tracker; `None` where an arm's configuration does without."""
    # The judge has no configuration of its own: where any arm's says `health = false`, nothing is recorded.
    configs = [record.config for record in results.manifest.arms.values() if record.config]
    return tracker_at(database_address()) if all(config.get("health", True) for config in configs) else None


def check_judge(judge: Panelist, *, limited: bool, allow_unpriced: bool = False) -> None:
    """Check that a judge can be called, before anything is paid for.

    Args:
        judge: The model that is to grade.
        limited: Whether there is a limit in dollars, for which the judge needs a known price.
        allow_unpriced: Whether a judge without a known price may work nevertheless.

    Raises:
        ConfigError: It cannot, or has no known price and there is a limit.
    """
    from fusion_tool.models.factory import check_models

    check_models([("judge", judge)])
    if limited and not allow_unpriced and not is_priced(judge.model_name):
        raise ConfigError(
            f"'{judge.model_name}' has no known price, so that no limit can be kept; "
            "--allow-unpriced lets it judge uncounted",
            field="judge",
        )
