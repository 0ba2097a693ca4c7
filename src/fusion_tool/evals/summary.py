"""The findings of a results folder: arms, comparisons, warnings, bill."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from fusion_tool.graph.result import FusionResult
from fusion_tool.graph.strategies import strategy_named


def judge_cautions(results: Results) -> list[str]:
    """Return warnings where the judge has a stake in the answers, or nothing is graded yet."""
    judge = results.manifest.judge_model
    if judge is None:
        needs_judge = any(task.rubric for task in results.tasks.tasks)
        return ["nothing is graded yet: fusion-tool eval grade"] if needs_judge else []
    models = {model.model_name: model for record in results.manifest.arms.values() for model in _writers(record)}
    return judge_warnings(judge, models.values())


def _writers(record: ArmRecord) -> Iterator[Panelist]:
    """Yield the models that may write a word of an arm's answers; a recording's are unknown."""
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
        if ":" in role["model"]:  # else it was an object, whose name does not tell the vendor
            yield Panelist(**role)


@dataclass(frozen=True)
class ArmSummary:
    """The findings of one arm.

    Args:
        name: The arm's name.
        scores: Scores by task id.
        score: Scores over the tasks.
        cost_usd: Mean US dollars of an answer, shared panels counted with each; `None` where any is unknown.
        seconds: Mean time of an answer; `None` where any is unknown.
        dropped: Number of pages and results that the contamination guard kept out.
        tool_failures: How often each tool failed, by its name; a search that another provider answered is none.
        unsearched: Number of answers in whose runs every search failed.
        failed: Number of runs without an answer, by reason.
        coverage: Share of the verdicts that are in; `None` where no judge graded.
        metrics: The value of each metric, by its name in `METRICS`.
    """

    name: str
    scores: dict[str, TaskScore]
    score: ArmScore
    cost_usd: float | None
    seconds: float | None
    dropped: int
    tool_failures: Counter[str]
    unsearched: int
    failed: Counter[str]
    coverage: float | None
    metrics: Mapping[str, Any]

    @property
    def task_scores(self) -> dict[str, float | None]:
        """The score of each task, by its id; `None` where it has none."""
        return {task: score.score for task, score in self.scores.items()}


@dataclass(frozen=True)
class Summary:
    """The findings of a results folder.

    Args:
        tasks: The task set's name.
        count: Number of its tasks.
        judge: The model that graded; `None` where none did.
        passes: Number of verdicts on each criterion.
        version: Version of the package that made the folder.
        arms: The arms in the folder's order.
        comparisons: Pairs of arms, p-values corrected for all of them.
        domains: By domain, each arm against one arm, the first where none was chosen; corrected for all of them.
        warnings: Reasons to doubt the findings.
        bill: The calls that were paid for.
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
    """Compute the findings of `results`.

    Args:
        results: The folder.
        against: Name of the arm with which each other arm is compared; `None` compares all pairs.

    Raises:
        ConfigError: There is no such arm.
    """
    names = list(results.manifest.arms)
    if against is not None and against not in names:
        raise ConfigError(f"no arm '{against}' in {results.folder}; there are {', '.join(names)}", field="against")
    arms = [_arm(results, name) for name in names]
    # Each later arm less each earlier one: the first arm on the command line is the baseline.
    pairs = [(arm, other) for other, arm in combinations(arms, 2) if against is None]
    pairs += [(arm, other) for arm in arms for other in arms if other.name == against != arm.name]
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


def _count_tool_failures(results: Iterable[FusionResult]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for result in results:
        for row in result.tool_failures:
            counts[row.tool] += 0 if row.is_quiet else row.count
    return +counts


def _arm(results: Results, name: str) -> ArmSummary:
    rows = results.arm_rows(name)
    scores = score_rows(results, rows)
    answers = [row for row in rows if row.reason is None]
    results_of_runs = [row.result for row in answers if row.result]
    coverages = [score.coverage for score in scores.values() if score.coverage is not None]
    return ArmSummary(
        name=name,
        scores=scores,
        score=score_arm(scores.values()),
        # A row with an unpriced call costs more than it says; one such answer leaves the arm's cost unknown.
        cost_usd=_mean([None if row.unpriced_calls else row.cost_usd for row in answers]),
        seconds=_mean([row.seconds for row in answers]),
        dropped=sum(result.dropped for result in results_of_runs),
        tool_failures=_count_tool_failures(results_of_runs),
        unsearched=sum("search_unavailable" in result.degraded for result in results_of_runs),
        # Without refusals, which are the arm's own answer and counted by its score.
        failed=Counter(row.reason for row in rows if row.reason not in (None, "refused")),
        coverage=fmean(coverages) if coverages else None,
        metrics={name: metric.compute(results, rows) for name, metric in METRICS.items()},
    )


def _mean(values: Sequence[float | None]) -> float | None:
    # All or nothing: a mean over the known ones alone would be of other answers, and look exact.
    numbers = [value for value in values if value is not None]
    return fmean(numbers) if numbers and len(numbers) == len(values) else None


def _domains(results: Results, pairs: Sequence[tuple[ArmSummary, ArmSummary]]) -> dict[str, list[PairedComparison]]:
    domains = sorted({task.domain for task in results.tasks.tasks if task.domain})
    # With one domain alone this would repeat the comparisons, and make its own correction of them.
    domain_pairs = [(domain, *pair) for domain in domains for pair in pairs] if len(domains) > 1 else []

    def within(arm: ArmSummary, domain: str) -> dict[str, float | None]:
        return {task: score.score for task, score in arm.scores.items() if score.domain == domain}

    comparisons = holm(
        [compare(arm.name, within(arm, d), other.name, within(other, d)) for d, arm, other in domain_pairs]
    )
    by_domain: dict[str, list[PairedComparison]] = {}
    for (domain, _, _), comparison in zip(domain_pairs, comparisons, strict=True):
        if comparison.n:
            by_domain.setdefault(domain, []).append(comparison)
    return by_domain


def _cautions(arm: ArmSummary) -> list[str]:
    lines = []
    if missing := arm.score.tasks - arm.score.scored - arm.score.refused - sum(arm.failed.values()):
        lines.append(f"{arm.name}: {missing} of {arm.score.tasks} answers have too few verdicts for a score")
    if arm.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in arm.failed.most_common())
        lines.append(f"{arm.name}: no answer from {sum(arm.failed.values())} of {arm.score.tasks} runs ({reasons})")
    if arm.score.refused:
        lines.append(f"{arm.name}: refused {arm.score.refused} of {arm.score.tasks} tasks, which its score leaves out")
    if arm.unsearched:
        lines.append(f"{arm.name}: in {arm.unsearched} of {arm.score.tasks} runs no search could be made")
    if arm.tool_failures:
        tools = ", ".join(f"{tool} {count}" for tool, count in arm.tool_failures.most_common())
        lines.append(f"{arm.name}: tools that failed, by calls: {tools}")
    if arm.dropped:
        lines.append(f"{arm.name}: the contamination guard kept out {arm.dropped} pages or results")
    return lines
