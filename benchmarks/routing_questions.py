"""The router on labelled questions: what it takes them for, when it abstains, where it sends them, how long it takes.

    python benchmarks/routing_questions.py [--half dev]

The questions of `tests/data/routing_questions.jsonl` were written apart from the classifier. Unless `dev` is asked
for, the half that it was tuned on, those kept out are counted. Nothing is asked of any model. A question that is
ambiguous on purpose has no domain: the router should not be sure of one.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import fmean, quantiles
from time import process_time
from typing import Literal, get_args

from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig
from fusion_tool.routing.candidates import find_candidates
from fusion_tool.routing.choose import SURE, Choice, choose
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.classifier.signals import DOMAINS, Difficulty, Domain, Signals
from fusion_tool.routing.profiles import Profile, load_profiles

QUESTIONS = Path(__file__).parent.parent / "tests" / "data" / "routing_questions.jsonl"
NOBODYS = Path(__file__).parent / "no-profiles-of-ones-own"
PREMIUM = 10.0
"""US dollars a million tokens written, from which a model is a premium one."""
QUALITY, TODAY = 0.95, date(2026, 11, 22)


@dataclass(frozen=True, slots=True)
class Question:
    """One labelled question; `domain` is `ambiguous` where it has none."""

    id: str
    question: str
    domain: Domain | Literal["ambiguous"]
    closed: bool
    difficulty: Difficulty
    needs_fresh: bool
    half: str


def questions(half: str) -> list[Question]:
    lines = QUESTIONS.read_text("utf-8").splitlines()
    return [one for one in (Question(**json.loads(line)) for line in lines) if one.half == half]


def report(half: str) -> None:
    asked = questions(half)
    told = {one.id: classify(one.question) for one in asked}
    config, profiles = preset("budget").model_copy(update={"quality": QUALITY}), load_profiles(NOBODYS)

    def plan(one: Question, signals: Signals | None = None) -> Choice:
        return choose(one.question, "", config, profiles=profiles, today=TODAY, signals=signals)

    confusion(asked, told)
    shares(asked, told, [plan(one) for one in asked])
    misrouted(asked, told, plan, config, profiles)
    times(asked, plan)


def confusion(asked: Sequence[Question], told: dict[str, Signals]) -> None:
    """Rows are labels, columns what the classifier is sure of."""
    columns = (*DOMAINS, "not sure")
    print(f"\n| label | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for label in (*DOMAINS, "ambiguous"):
        row = Counter(sure(told[one.id]) for one in asked if one.domain == label)
        print(f"| {label} | {' | '.join(str(row[column] or '') for column in columns)} |")
    levels = get_args(Difficulty)
    print(f"\n| difficulty | {' | '.join(levels)} |\n|---|---|---|---|")
    for label in levels:
        found = Counter(told[one.id].difficulty for one in asked if one.difficulty == label)
        print(f"| {label} | {' | '.join(str(found[level]) for level in levels)} |")


def sure(signals: Signals) -> str:
    return signals.domain if signals.confidence >= SURE else "not sure"


def shares(asked: Sequence[Question], told: dict[str, Signals], plans: Sequence[Choice]) -> None:
    clear = [one for one in asked if one.domain != "ambiguous"]
    vague = [one for one in asked if one.domain == "ambiguous"]
    trusted = [one for one in clear if sure(told[one.id]) != "not sure"]
    rows = {
        "right domain, where it is sure of one": fmean(told[one.id].domain == one.domain for one in trusted),
        "clear questions of which it is not sure": 1 - len(trusted) / len(clear),
        "ambiguous questions of which it is not sure": fmean(sure(told[one.id]) == "not sure" for one in vague),
        "closed or open, right": fmean(told[one.id].closed == one.closed for one in clear),
        "needs fresh facts, right": fmean(told[one.id].needs_fresh == one.needs_fresh for one in clear),
        "difficulty, right": fmean(told[one.id].difficulty == one.difficulty for one in clear),
        "difficulty, hard and easy taken for each other": fmean(
            {told[one.id].difficulty, one.difficulty} == {"easy", "hard"} for one in clear
        ),
        f"plans with a premium seat (${PREMIUM:.0f} a million tokens or more)": fmean(map(is_premium, plans)),
    }
    print(f"\n| {len(asked)} questions, {asked[0].half} half | |\n|---|---|")
    for name, share in rows.items():
        print(f"| {name} | {share:.1%} |")
    print(f"\nPlans: {dict(Counter(one.strategy for one in plans))}.")


def is_premium(plan: Choice) -> bool:
    prices = (cost_of(seat.model_name, input_tokens=0, output_tokens=10**6)[0] for seat in plan.panel)
    return any(price is not None and price >= PREMIUM for price in prices)


def misrouted(
    asked: Sequence[Question],
    told: dict[str, Signals],
    plan: Callable[..., Choice],
    config: FusionConfig,
    profiles: Mapping[str, Profile],
) -> None:
    """The best seat's quality in the true domain, with what the classifier tells and with the true labels."""
    lost = []
    for one in asked:
        signals = told[one.id]
        if one.domain == "ambiguous" or signals.confidence < SURE:
            continue  # the configured panel is asked: nothing is lost to a wrong domain
        truth = signals.model_copy(
            update={"domain": one.domain, "closed": one.closed, "difficulty": one.difficulty, "confidence": 1.0}
        )
        worth = qualities(one.domain, config, profiles)
        routed, labelled = (
            max((worth.get(seat.model_name, 0.0) for seat in choice.panel), default=0.0)
            for choice in (plan(one, signals), plan(one, truth))
        )
        lost.append(max(0.0, labelled - routed))
    print(
        f"\nQuality lost to misrouting, of the best model's 1.0: mean {fmean(lost):.4f}, worst {max(lost):.3f}, "
        f"{sum(loss > 0 for loss in lost)} of {len(lost)} routed questions lose any."
    )


def qualities(domain: Domain, config: FusionConfig, profiles: Mapping[str, Profile]) -> dict[str, float]:
    field = find_candidates(
        domain, config, profiles=profiles, rejection_of=lambda _: None, unavailable=(), today=TODAY, question_bytes=400
    )
    return {one.model: one.quality or 0.0 for one in field.eligible}


def times(asked: Sequence[Question], plan: Callable[[Question], Choice]) -> None:
    """CPU time of decisions with word lists and prices read, as in any but a process's first."""
    taken = []
    for one in [*asked] * 5:
        start = process_time()
        plan(one)
        taken.append((process_time() - start) * 1000)
    cuts = quantiles(taken, n=100, method="inclusive")
    print(f"\nA decision takes, in CPU time, {cuts[49]:.1f} ms (median), {cuts[98]:.1f} ms (p99); target 5 ms.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=["held-out", "dev"], default="held-out")
    report(parser.parse_args().half)
