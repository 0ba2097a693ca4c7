"""Everything a report tells."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.evals.costs import Bill, eval_bill
from fusion_tool.evals.graders.rubric import judge_warnings
from fusion_tool.evals.metrics import METRICS
from fusion_tool.evals.results import ArmRecord, Results
from fusion_tool.evals.scoring import ArmScore, TaskScore, score_arm, score_rows
from fusion_tool.evals.statistics import PairedComparison, compare, holm
from fusion_tool.graph.strategies import strategy_named


def judge_cautions(results: Results) -> list[str]:
    """Whether the judge has a stake in the answers, or there is none yet."""
    judge = results.manifest.judge_model
    if judge is None:
        ungraded = any(task.rubric for task in results.tasks.tasks)
        return ["nothing is graded yet: fusion-tool eval grade"] if ungraded else []
    models = {model.model_name: model for record in results.manifest.arms.values() for model in _writers(record)}
    return judge_warnings(judge, models.values())


def _writers(record: ArmRecord) -> Iterator[Panelist]:
    """Everyone who may write a word of an arm's answers; of a recording nobody knows."""
    config = record.config
    if config is None:
        return
    seats = [] if record.kind == "replay" else config["panel"]
    later = (
        []
        if strategy_named(config["strategy"]).is_single
        else [config["synthesizer"] or config["judge"] or config["panel"][0]]
    )
    for role in (*seats, *later):
        if ":" in role["model"]:  # else it was an object, whose vendor its name does not tell
            yield Panelist(**role)


@dataclass(frozen=True)
class ArmSummary:
    """One arm.

    Args:
        name: Its name.
        scores: By task id.
        score: Over the tasks.
        cost_usd: Mean of an answer's cost, shared panels counted with each; `None` where any is unknown.
        seconds: Mean of an answer's time; `None` where any is unknown.
        dropped: Pages and results that the contamination guard kept out.
        failed: Runs without an answer, by reason.
        coverage: Share of the verdicts that are in; `None` where no judge graded.
        metrics: The value of each metric, by its name in `METRICS`.
    """

    name: str
    scores: dict[str, TaskScore]
    score: ArmScore
    cost_usd: float | None
    seconds: float | None
    dropped: int
    failed: Counter[str]
    coverage: float | None
    metrics: Mapping[str, Any]

    @property
    def task_scores(self) -> dict[str, float | None]:
        """The score of each task, by its id; `None` where it has none."""
        return {task: score.score for task, score in self.scores.items()}


@dataclass(frozen=True)
class Summary:
    """A results folder's findings.

    Args:
        tasks: The task set's name.
        count: How many tasks it has.
        judge: Who graded; `None` where nobody did.
        passes: Verdicts a criterion.
        version: Of the package that made the folder.
        arms: They, in the folder's order.
        comparisons: Pairs of arms, p-values corrected for all of them.
        domains: Per domain, each arm against one, the first where none was chosen; corrected for all of them.
        warnings: What to know before believing any of it.
        bill: What was paid.
    """

    tasks: str
    count: int
    judge: str | None
    passes: int
    version: str
    arms: list[ArmSummary]
    comparisons: list[PairedComparison]
    domains: dict[str, list[PairedComparison]]
    warnings: list[str]
    bill: Bill


def summarize(results: Results, *, against: str | None = None) -> Summary:
    """The findings of `results`.

    Args:
        results: A folder.
        against: The arm with which each other one is compared; by default all are with each other.

    Raises:
        ConfigError: There is no such arm.
    """
    names = list(results.manifest.arms)
    if against is not None and against not in names:
        raise ConfigError(f"no arm '{against}' in {results.folder}; there are {', '.join(names)}", field="against")
    arms = [_arm(results, name) for name in names]
    pairs = [(arm, two) for two, arm in combinations(arms, 2) if against is None]
    pairs += [(arm, two) for arm in arms for two in arms if two.name == against != arm.name]
    judge = results.manifest.judge_model
    return Summary(
        tasks=results.manifest.tasks,
        count=len(results.tasks.tasks),
        judge=judge.model_name if judge else None,
        passes=results.manifest.passes,
        version=results.manifest.version,
        arms=arms,
        comparisons=holm([compare(arm.name, arm.task_scores, other.name, other.task_scores) for arm, other in pairs]),
        domains=_domains(results, [pair for pair in pairs if pair[1].name == (against or names[0])]),
        warnings=[*judge_cautions(results), *(line for arm in arms for line in _cautions(arm))],
        bill=eval_bill(results),
    )


def _arm(results: Results, name: str) -> ArmSummary:
    rows = [row for (arm, _), row in results.answer_rows.items() if arm == name]
    scores = score_rows(results, rows)
    given = [row for row in rows if row.reason is None]
    graded = [score.coverage for score in scores.values() if score.coverage is not None]
    return ArmSummary(
        name=name,
        scores=scores,
        score=score_arm(scores.values()),
        cost_usd=_mean([None if row.unpriced_calls else row.cost_usd for row in given]),
        seconds=_mean([row.seconds for row in given]),
        dropped=sum(row.result.dropped for row in given if row.result),
        failed=Counter(row.reason for row in rows if row.reason not in (None, "refused")),
        coverage=fmean(graded) if graded else None,
        metrics={name: metric.compute(results, rows) for name, metric in METRICS.items()},
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _domains(results: Results, pairs: Sequence[tuple[ArmSummary, ArmSummary]]) -> dict[str, list[PairedComparison]]:
    domains = sorted({task.domain for task in results.tasks.tasks if task.domain})
    keyed = [(domain, pair, two) for domain in domains for pair, two in pairs] if len(domains) > 1 else []

    def within(arm: ArmSummary, domain: str) -> dict[str, float | None]:
        return {task: score.score for task, score in arm.scores.items() if score.domain == domain}

    compared = holm([compare(pair.name, within(pair, d), two.name, within(two, d)) for d, pair, two in keyed])
    found: dict[str, list[PairedComparison]] = {}
    for (domain, _, _), comparison in zip(keyed, compared, strict=True):
        if comparison.n:
            found.setdefault(domain, []).append(comparison)
    return found


def _cautions(arm: ArmSummary) -> list[str]:
    lines = []
    if missing := arm.score.tasks - arm.score.scored - arm.score.refused - sum(arm.failed.values()):
        lines.append(f"{arm.name}: {missing} of {arm.score.tasks} answers have too few verdicts for a score")
    if arm.failed:
        told = ", ".join(f"{count} {reason}" for reason, count in arm.failed.most_common())
        lines.append(f"{arm.name}: no answer from {sum(arm.failed.values())} of {arm.score.tasks} runs ({told})")
    if arm.score.refused:
        lines.append(f"{arm.name}: refused {arm.score.refused} of {arm.score.tasks} tasks, which its score leaves out")
    if arm.dropped:
        lines.append(f"{arm.name}: the contamination guard kept out {arm.dropped} pages or results")
    return lines
