"""The guard against contaminated answers: nothing that gives a task's rubric away reaches the panel.

What it keeps out is counted in each result (`FusionResult.dropped`).
"""

from fusion_tool.config import FusionConfig
from fusion_tool.evals.tasks import Exclude, Task, TaskSet

_TELLING = 40
"""Characters from which a criterion's words are the rubric's own: "States the year" stands in innocent pages too."""


def guarded(config: FusionConfig, tasks: TaskSet) -> FusionConfig:
    """`config` with `tasks`' hosts and rubric fragments excluded, beside what it excludes already.

    Pages are compared with every fragment, so that a run of one task is best guarded for that task alone:
    `guarded(config, tasks.only([task.id]))`.
    """
    exclude = exclusions(tasks)
    merged = Exclude(domains=config.excluded_domains, fragments=config.blocked_fragments) | exclude
    return config.model_copy(update={"excluded_domains": merged.domains, "blocked_fragments": merged.fragments})


def exclusions(tasks: TaskSet) -> Exclude:
    """All that `tasks` exclude: the set, each of its tasks, and the telling words of their rubrics."""
    exclude = tasks.exclude
    for task in tasks.tasks:
        exclude |= task.exclude | Exclude(fragments=_rubric_fragments(task))
    return exclude


def _rubric_fragments(task: Task) -> tuple[str, ...]:
    wordings = (criterion.requirement for criterion in task.rubric)
    return tuple(wording for wording in wordings if len(wording) >= _TELLING)
