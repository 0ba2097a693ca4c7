"""Tasks (`Task`, `TaskSet`), and the guard against pages that give their answers away.

What the guard keeps out is counted in each result (`FusionResult.dropped`).
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fusion_tool.config.schema import FusionConfig

_Text = Annotated[str, Field(min_length=1)]
_Weight = Annotated[
    float, Field(allow_inf_nan=False)
]  # Python's JSON reads `Infinity` and `NaN`, and no score has them


class _Value(BaseModel):
    # Unknown fields are refused: a misspelled `exclude` would leave the rubric's pages open, and nobody would notice.
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Criterion(_Value):
    """One statement about an answer that a judge finds `MET` or `UNMET`.

    Args:
        id: Unique within its task.
        requirement: The statement; the only part of a rubric that a judge sees.
        weight: What meeting it adds to the score; a statement that describes a flaw weighs less than 0.
        axis: The rubric's section, such as `factual-accuracy`; `None` where it has none.
    """

    id: _Text
    requirement: _Text
    weight: _Weight = 1.0
    axis: str | None = None


class Exclude(_Value):
    """The pages that a panel must not read because they give the answers away.

    Args:
        domains: Sites.
        fragments: Texts; a page that contains one of them is withheld.
    """

    domains: tuple[_Text, ...] = ()
    fragments: tuple[_Text, ...] = ()

    def __or__(self, other: "Exclude") -> "Exclude":
        return Exclude(
            domains=tuple(dict.fromkeys(self.domains + other.domains)),
            fragments=tuple(dict.fromkeys(self.fragments + other.fragments)),
        )


class Task(_Value):
    """One question of a task set.

    Args:
        id: Unique within its set.
        question: The text that the arms are asked.
        domain: The domain by which scores are also reported; `""` where a set has none.
        rubric: Criteria, at least one of them with a positive weight; empty where a reference is given.
        reference: Acceptable closed answers, any of which is right; a string stands for one.
        exclude: Pages that the panel must not read for this task.
    """

    id: _Text
    question: _Text
    domain: str = ""
    rubric: tuple[Criterion, ...] = ()
    reference: tuple[_Text, ...] = ()
    exclude: Exclude = Exclude()

    @field_validator("reference", mode="before")
    @classmethod
    def _parse_reference(cls, value: Any) -> Any:
        # A number may stand in the file as such; pydantic would not take it for a text.
        items = value if isinstance(value, list | tuple) else [value]
        return [str(item) if isinstance(item, int | float) else item for item in items if item is not None]

    @field_validator("rubric")
    @classmethod
    def _check_rubric(cls, rubric: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        if repeated := first_repeated(criterion.id for criterion in rubric):
            raise ValueError(f"two criteria have the id '{repeated}'")
        if rubric and not any(criterion.weight > 0 for criterion in rubric):
            raise ValueError("no criterion has a positive weight, so that nothing could be scored")
        return rubric

    @model_validator(mode="after")
    def _check_gradable(self) -> "Task":
        # Not both: they are graded in different ways, and a task has one score.
        if bool(self.rubric) == bool(self.reference):
            raise ValueError("a task needs a rubric with criteria or a reference, and not both")
        return self


class TaskSet(_Value):
    """Tasks that belong together.

    Args:
        name: The name in reports.
        tasks: At least one task; ids are unique.
        exclude: Pages that the panel must not read for any of them.
    """

    name: _Text
    tasks: tuple[Task, ...] = Field(min_length=1)
    exclude: Exclude = Exclude()

    @field_validator("tasks")
    @classmethod
    def _check_ids(cls, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        if repeated := first_repeated(task.id for task in tasks):
            raise ValueError(f"two tasks have the id '{repeated}'")
        return tasks

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides a score, as hex digits; results with another fingerprint are not comparable."""
        # Without the exclusions, which may grow as copies of the rubrics turn up, and in an order of its own.
        rows = [task.model_dump_json(exclude={"exclude"}) for task in sorted(self.tasks, key=lambda task: task.id)]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def only(self, ids: Iterable[str]) -> "TaskSet":
        """Return the set with the tasks `ids` alone, in the set's order.

        Raises:
            KeyError: There is no such task.
        """
        id_set = set(ids)
        if unknown := id_set - {task.id for task in self.tasks}:
            raise KeyError(min(unknown))
        return self.model_copy(update={"tasks": tuple(task for task in self.tasks if task.id in id_set)})


def first_repeated(ids: Iterable[str]) -> str | None:
    """Return the first id that occurs twice; `None` where all differ."""
    earlier: set[str] = set()
    for id_ in ids:
        if id_ in earlier:
            return id_
        earlier.add(id_)
    return None


_MIN_FRAGMENT = 40
"""Least length, in characters, of a criterion whose wording marks a copy of the rubric: shorter ones, such as "States
the year", are in innocent pages, too."""


def with_contamination_guard(config: FusionConfig, tasks: TaskSet) -> FusionConfig:
    """Return `config` with the hosts and rubric fragments of `tasks` excluded, besides its own exclusions.

    Pages are compared with every fragment, so that a run of one task is best guarded for that task alone:
    `with_contamination_guard(config, tasks.only([task.id]))`.
    """
    own_exclusions = Exclude(domains=config.excluded_domains, fragments=config.blocked_fragments)
    merged = own_exclusions | exclusions(tasks)
    return config.model_copy(update={"excluded_domains": merged.domains, "blocked_fragments": merged.fragments})


def exclusions(tasks: TaskSet) -> Exclude:
    """Return all exclusions of `tasks`: of the set, of each task, and the distinctive wordings of their rubrics."""
    exclude = tasks.exclude
    for task in tasks.tasks:
        exclude |= task.exclude | Exclude(fragments=_rubric_fragments(task))
    return exclude


def _rubric_fragments(task: Task) -> tuple[str, ...]:
    wordings = (criterion.requirement for criterion in task.rubric)
    return tuple(wording for wording in wordings if len(wording) >= _MIN_FRAGMENT)
