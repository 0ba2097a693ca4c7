"""What a panel of one small local model adds over the model alone: right, rightly cited, rightly abstained, its price.

    python benchmarks/local_lift.py FILE [--half development|reported] [--arms ARM ...] [--most N] [--table]

Each run is a line of FILE, which a killed run goes on with; `--most` ends after so many runs, `--table` runs nothing.
Every arm is asked by itself, with the settings of `local:qwen`: no answer is shared, and nothing comes from a cache but
the server's own of prompts. What `verify` adds is read off the panel's run, whose answer it leaves as it is: without it
the panel has the same requests but for that one, which is taken off its seconds and tokens.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple, TypeAlias

from local_lift_grades import HALVES, KINDS, Grade, Passage, Question, grade, read_questions
from pydantic import BaseModel

from fusion_tool import FusionError, FusionResult, afuse, preset
from fusion_tool.evals.statistics import compare, holm, share_of
from fusion_tool.evals.storage import Journal

ROOT = Path(__file__).parent.parent
MODEL = "local:qwen"
DOCUMENTS = (ROOT / "examples" / "corpus", ROOT / "docs")
ALONE, READER, PANEL, CASCADE, VERIFIED = "alone", "reader", "panel", "cascade", "verified"
SETTINGS: dict[str, dict[str, Any]] = {
    ALONE: {"strategy": "solo"},
    READER: {"strategy": "solo", "documents": DOCUMENTS},
    PANEL: {"strategy": "panel", "documents": DOCUMENTS, "verify": True},
    CASCADE: {"strategy": "cascade", "documents": DOCUMENTS},
}
TITLES = {
    ALONE: "the model alone, no documents",
    READER: "alone, with the documents",
    PANEL: "three of it, judge and synthesis",
    VERIFIED: "the panel's answer where `verify` supports a citation, else none",
    CASCADE: "cascade",
}
COMPARISONS = ((READER, ALONE), (PANEL, READER), (CASCADE, READER), (CASCADE, PANEL), (VERIFIED, PANEL))


Runs: TypeAlias = dict[tuple[str, str], FusionResult | None]
"""By question and arm."""


class Score(NamedTuple):
    """One arm's answer to one question: its grade, and what it took, in seconds and tokens."""

    grade: Grade
    seconds: float
    tokens: int


class Row(BaseModel):
    """One run: the question's id, the arm, and what came of it; `None` for a run that failed."""

    question: str
    arm: str
    result: FusionResult | None


def read_rows(journal: Journal) -> Runs:
    """Read the runs so far."""
    rows = [Row.model_validate_json(line) for line in journal.lines()]
    return {(row.question, row.arm): row.result for row in rows}


async def run_pending(journal: Journal, questions: Sequence[Question], arms: Sequence[str], most: int | None) -> int:
    """Run what is not in the journal yet; return how many runs are still to be made."""
    rows = read_rows(journal)
    pending = [(asked, arm) for asked in questions for arm in arms if (asked.id, arm) not in rows]
    turn = pending[:most]
    if turn:
        journal.mend()
        # Not counted: the start of the model's server.
        await ask("Is the sky blue?", ALONE)
    for asked, arm in turn:
        result = await ask(asked.text, arm)
        journal.append(Row(question=asked.id, arm=arm, result=result))
        print(f"{asked.id} {arm}: {result and result.timing.total_seconds} s", flush=True)
    return len(pending) - len(turn)


async def ask(question: str, arm: str) -> FusionResult | None:
    """Ask one arm, as a user would who names the preset."""
    try:
        return await afuse(question, preset(MODEL), **SETTINGS[arm])
    except FusionError as error:
        print(f"{arm} failed: {error}", flush=True)
        return None


def score(question: Question, arm: str, result: FusionResult | None) -> Score:
    """Score one arm's run; one that failed is neither right nor an abstention."""
    if result is None:
        return Score(Grade(correct=False, cited=False, abstains=False), 0.0, 0)
    grade_of_answer = grade(question, result.answer, list(passages(result)))
    if arm == VERIFIED and not any(
        one.verification and one.verification.verdict == "supports" for one in cited(result)
    ):
        grade_of_answer = grade(question, "The sources do not say.")
    verification = (result.timing.verification_seconds or 0.0) if arm == PANEL else 0.0
    calls = [call for call in result.usage.calls if arm != PANEL or call.stage != "verifier"]
    tokens = sum((call.input_tokens or 0) + (call.output_tokens or 0) for call in calls)
    return Score(grade_of_answer, (result.timing.total_seconds or 0.0) - verification, tokens)


def cited(result: FusionResult) -> list[Any]:
    """Return every place at which an answer cites."""
    return [occurrence for citation in result.citations for occurrence in citation.occurrences]


def passages(result: FusionResult) -> Iterator[Passage]:
    """Return the words that an answer cites, by document."""
    for citation in result.citations:
        for occurrence in citation.occurrences:
            yield Passage(citation.url.rsplit("/", 1)[-1], occurrence.passage)


def scores_of(questions: Sequence[Question], rows: Runs) -> dict[str, dict[str, Score]]:
    """Return the scores by arm and question, of the arms that were asked, over the questions that all of these were."""
    runs = {arm: PANEL if arm == VERIFIED else arm for arm in TITLES}
    runs = {arm: run for arm, run in runs.items() if any((asked.id, run) in rows for asked in questions)}
    whole = [asked for asked in questions if all((asked.id, run) in rows for run in runs.values())]
    return {arm: {asked.id: score(asked, arm, rows[asked.id, run]) for asked in whole} for arm, run in runs.items()}


def table(questions: Sequence[Question], rows: Runs) -> None:
    """Print what each arm reached, the paired differences, and what the second reader's verdicts are worth."""
    scores = scores_of(questions, rows)
    asked = [one for one in questions if all(one.id in ours for ours in scores.values())]
    kinds = {kind: [one for one in asked if one.kind == kind] for kind in KINDS}
    answered = [one for one in asked if one.facts]
    heads = [*(f"{kind}, {len(kinds[kind])}" for kind in KINDS), f"right, {len(asked)}"]
    heads += [f"rightly cited, {len(answered)}", "abstains in vain", "seconds, median", "mean", "tokens"]
    print(f"| | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for arm, ours in scores.items():
        counts = [str(sum(ours[one.id].grade.correct for one in kinds[kind])) for kind in KINDS]
        cells = [*counts, share(ours[one.id].grade.correct for one in asked)]
        cells.append(share(ours[one.id].grade.cited for one in answered))
        cells.append(str(sum(ours[one.id].grade.abstains for one in answered)))
        seconds, tokens = ([getattr(one, field) for one in ours.values()] for field in ("seconds", "tokens"))
        cells += [f"{median(seconds):.0f}", f"{fmean(seconds):.0f}", f"{fmean(tokens):,.0f}"]
        print(f"| {arm}: {TITLES[arm]} | {' | '.join(cells)} |")
    for told, field in (("right", "correct"), ("rightly cited", "cited")):
        values = {
            arm: {key: float(getattr(one.grade, field)) for key, one in ours.items()} for arm, ours in scores.items()
        }
        pairs = [pair for pair in COMPARISONS if all(arm in values for arm in pair)]
        print(f"\n{told}:")
        for comparison in holm([compare(ours, values[ours], other, values[other]) for ours, other in pairs]):
            print(f"- {comparison.sentence}")
    if PANEL in scores:
        verdicts(asked, rows)


def verdicts(questions: Iterable[Question], rows: Runs) -> None:
    """Print what audit and second reader say of the panel's citations, by whether they are right."""
    counts: Counter[tuple[bool, str]] = Counter()
    for asked in questions:
        result = rows[asked.id, PANEL]
        for passage, occurrence in zip(passages(result), cited(result), strict=True) if result else ():
            is_right = any(fact.is_cited([passage]) for fact in asked.facts)
            verdict = occurrence.verification.verdict if occurrence.verification else "no verdict"
            counts[is_right, f"`verify`: {verdict}"] += 1
            counts[is_right, f"audit: {occurrence.support}"] += 1
    print("\n| the panel's citations | of a gold passage | of another |\n|---|---|---|")
    for verdict in sorted({verdict for _, verdict in counts}):
        print(f"| {verdict} | {counts[True, verdict]} | {counts[False, verdict]} |")


def share(values: Iterable[bool]) -> str:
    """Return a count as a share with its interval."""
    flags = list(values)
    interval = share_of(sum(flags), len(flags))
    return f"{sum(flags)} ({100 * interval.low:.0f} to {100 * interval.high:.0f} %)" if interval else "-"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--half", choices=HALVES, default=HALVES[-1])
    parser.add_argument("--arms", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--most", type=int)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    journal, questions = Journal(options.file), [one for one in read_questions() if one.half == options.half]
    if not options.table:
        left = asyncio.run(run_pending(journal, questions, options.arms, options.most))
        if left:
            return left
    table(questions, read_rows(journal))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
