"""What becomes of what the seats had: of the criteria that so many seats met, how many the fused answer meets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, digest
from fusion_tool.evals.statistics import Interval, share_of


@dataclass(frozen=True)
class RetentionRow:
    """Criteria that as many seats met: how many there are, how many of them the fused answer meets."""

    seats: int
    criteria: int
    met: int

    @property
    def interval(self) -> Interval | None:
        """Of the share met, by Wilson."""
        return share_of(self.met, self.criteria)


@dataclass(frozen=True)
class Retention:
    """One row for each number of seats that met a criterion, from none to all."""

    rows: Sequence[RetentionRow]


def retention_of(results: Results, rows: Iterable[AnswerRow]) -> Retention | None:
    """The retention over an arm's answers; `None` where no seat was graded.

    Only merits count (a positive weight), and only where the fused answer and every seat have a verdict. Of several
    passes the majority decides, a tie is not met.
    """
    verdicts, tasks = results.known_verdicts(), {task.id: task for task in results.tasks.tasks}
    counts: defaultdict[int, list[bool]] = defaultdict(list)
    for row in rows:
        seats = [_met_criteria(verdicts.get((row.task, digest(text)), ())) for text in row.seat_texts().values()]
        fused = _met_criteria(verdicts.get((row.task, digest(row.text)), ()))
        if len(seats) < 2 or row.task not in tasks:  # noqa: PLR2004 - one seat alone leaves nothing to keep
            continue
        for criterion in tasks[row.task].rubric:
            found = [seat.get(criterion.id) for seat in (fused, *seats)]
            if criterion.weight > 0 and None not in found:
                counts[sum(map(bool, found[1:]))].append(bool(found[0]))
    return Retention([RetentionRow(n, len(met), sum(met)) for n, met in sorted(counts.items())]) if counts else None


def _met_criteria(verdicts: Iterable[Verdict]) -> dict[str, bool]:
    votes: defaultdict[str, list[bool]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.met is not None:
            votes[verdict.criterion].append(verdict.met)
    return {criterion: sum(given) * 2 > len(given) for criterion, given in votes.items()}
