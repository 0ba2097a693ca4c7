"""Recorded answers through the real graph: what the cascade keeps of the best model, and at what cost.

    python benchmarks/routing.py [PROBLEMS]

Two cheap scouts and a strong model answer verifiable problems with what they are recorded to have said. Tokens are a
quarter of the texts' bytes, prices those of `tests/integration/recorded.py`. Where all three differ the synthesizer
hands on the strong model's recorded text, so that its quality there is that model's by construction; how many runs that
are stands below the table. Then: any one model withdrawn, and the router on labelled questions
(`routing_questions.py`).
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import routing_questions

sys.path.insert(0, str(Path(__file__).parent.parent))  # the replay belongs to the tests

from scipy.stats import bootstrap
from tests.integration import recorded
from tests.integration.recorded import JUDGE, MINI, PANEL, SONNET, WRITER, Outcome, Problem

from fusion_tool import PanelFailed

SEED, RESAMPLES, WITHDRAWN_RUNS = 20261122, 5000, 200
TARGETS = {"quality": 0.99, "cost": 0.50, "right": 0.93, "agree": 0.65}


def table(outcomes: Sequence[Outcome]) -> None:
    """Quality and cost per task, of the cascade and of what it is to be compared with."""
    print("\n| task | problems | | right | cost, $ a thousand |\n|---|---|---|---|---|")
    tasks = sorted({one.problem.task for one in outcomes})
    for task in (*tasks, "all"):
        part = [one for one in outcomes if task in (one.problem.task, "all")]
        for name, (right, usd) in policies(part).items():
            print(f"| {task} | {len(part)} | {name} | {right:.1%} | {1000 * usd:.3f} |")


def policies(outcomes: Sequence[Outcome]) -> dict[str, tuple[float, float]]:
    """The share that is right and the mean cost in US dollars, by policy."""
    each = {name: (mean(outcomes, partial(correct, name)), mean(outcomes, partial(alone, name))) for name in PANEL}
    ours = (mean(outcomes, lambda one: one.correct), mean(outcomes, lambda one: one.usd()))
    cheap_writer = mean(outcomes, lambda one: one.usd(MINI))
    best = max(PANEL, key=lambda name: each[name])
    cheapest = min(PANEL, key=lambda name: each[name][1])
    share = min(1.0, max(0.0, (cheap_writer - each[cheapest][1]) / (each[best][1] - each[cheapest][1])))
    mixed = [share * dear + (1 - share) * cheap for dear, cheap in zip(each[best], each[cheapest], strict=True)]
    return {
        "cascade": ours,
        "cascade, synthesizer at the scout's price": (ours[0], cheap_writer),
        f"always the best ({best})": each[best],
        f"always the cheapest ({cheapest})": each[cheapest],
        "random mix of these two at the cascade's lower cost": (mixed[0], mixed[1]),
        "oracle: the cheapest that is right": oracle(outcomes),
    }


def oracle(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Who knows beforehand which models are right asks the cheapest of them, else the cheapest of all."""
    chosen = [min(PANEL, key=lambda name: (not correct(name, one), one.alone[name])) for one in outcomes]
    right = fmean(correct(name, one) for name, one in zip(chosen, outcomes, strict=True))
    return right, fmean(one.alone[name] for name, one in zip(chosen, outcomes, strict=True))


def correct(name: str, one: Outcome) -> bool:
    return one.problem.answers[name].correct


def alone(name: str, one: Outcome) -> float:
    return one.alone[name]


def mean(outcomes: Sequence[Outcome], value: Callable[[Outcome], float]) -> float:
    return fmean(map(value, outcomes))


def against_the_best(outcomes: Sequence[Outcome]) -> None:
    """The ratios to the strong model with intervals over problems, and the scouts' agreement."""
    agreed = [one for one in outcomes if one.agreed]
    print("\n| | measured | 95 % interval | target |\n|---|---|---|---|")
    rows = {
        f"quality, of always {SONNET}": (lambda one: one.correct, partial(correct, SONNET), "quality"),
        "cost, of the same": (lambda one: one.usd(), partial(alone, SONNET), "cost"),
        "cost, synthesizer at the scout's price": (lambda one: one.usd(MINI), partial(alone, SONNET), "cost"),
    }
    for name, (ours, theirs, target) in rows.items():
        ratio, low, high = paired([ours(one) for one in outcomes], [theirs(one) for one in outcomes])
        limit = f"{'at most' if target == 'cost' else 'at least'} {TARGETS[target]}"
        print(f"| {name} | {ratio:.3f} | {low:.3f} to {high:.3f} | {limit} |")
    for task in (*sorted({one.problem.task for one in outcomes}), ""):
        found = [one for one in agreed if task in (one.problem.task, "")]
        of = sum(task in (one.problem.task, "") for one in outcomes)
        print(f"| {task or 'all'}: the scouts agree | {len(found) / of:.3f} | | at least {TARGETS['agree']} over all |")
        print(f"| {task or 'all'}: right where they do | {mean(found, lambda one: one.correct):.3f} | "
              f"| at least {TARGETS['right']} over all |")  # fmt: skip
    ends = Counter("+".join(f"{count} {stage}" for stage, count in Counter(one.stages).items()) for one in outcomes)
    print(f"\nCalls a run: {'; '.join(f'{count:,} x {end}' for end, count in ends.most_common())}.")


def paired(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The ratio of two means over the same problems, and its percentile interval."""

    def ratio(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
        return first.mean(axis=axis) / second.mean(axis=axis)

    data = (np.asarray(ours, float), np.asarray(theirs, float))
    found = bootstrap(
        data, ratio, paired=True, n_resamples=RESAMPLES, method="percentile", batch=200, rng=np.random.default_rng(SEED)
    )
    return float(ratio(*data)), *map(float, found.confidence_interval)


async def failures(asked: Sequence[Problem], gone: str) -> tuple[int, int]:
    """Runs that failed or ended partial with `gone` withdrawn, and seats in which its fallback answered."""
    failed = saved = 0
    with recorded.without(gone) as config:
        for problem in asked:
            try:
                one = await recorded.replay(problem, config)
            except PanelFailed:
                failed += 1
            else:
                failed += one.result.status != "ok"
                saved += sum(row.model == f"ollama:{gone}" for row in one.result.failed_models)
    return failed, saved


def progress(done: int, of: int) -> None:
    if done % 160 == 0:
        print(f"{done} of {of}", file=sys.stderr, flush=True)


def main(count: int | None) -> None:
    if not recorded.FILE.exists():
        print(recorded.ABSENT)
    else:
        asked = recorded.problems(count)
        outcomes = asyncio.run(recorded.replayed(asked, recorded.cascade(), progress))
        table(outcomes)
        against_the_best(outcomes)
        logging.disable()  # each run would say which of its models is gone
        print("\n| withdrawn | runs | failed or partial | seats in which its fallback answered |\n|---|---|---|---|")
        sample = recorded.problems(min(WITHDRAWN_RUNS, len(asked)))
        for gone in (*PANEL, JUDGE, WRITER):
            failed, saved = asyncio.run(failures(sample, gone))
            print(f"| {gone} | {len(sample)} | {failed} | {saved} |", flush=True)
    routing_questions.report()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
