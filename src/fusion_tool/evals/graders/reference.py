"""Grading by reference: the final answer inside a text against the acceptable answers, without a model."""

import json
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from fusion_tool.evals.tasks import Task
from fusion_tool.grounding.closed_answers.compare import compare_closed
from fusion_tool.grounding.closed_answers.extraction import final_answers
from fusion_tool.grounding.closed_answers.question import expected_answer

MatchKind: TypeAlias = Literal["exact", "numeric", "normalised"]

_NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w*\d)")
_HASHES = re.compile(r"^#+\s+")
_QUOTED = re.compile(r"""(['"`\u2018\u201c])(.*)['"`\u2019\u201d]""", re.DOTALL)
_FORMULA = re.compile(r"[\d)}]\s*[*^/\u221a=<>+_]|[\u221a\\^{}\[\]]|[-+*/]\s*\d|\d\s*%")


@dataclass(frozen=True)
class Match:
    """The comparison of an answer with a task's references.

    Args:
        right: Whether the answer is one of them.
        how: `exact`: to the letter; `numeric`: by value, be it a number, date, choice, term or literal; `normalised`:
            quotation marks, and beyond code case, white space and a unit aside. `None` where it is not right.
        final: The final answer in its author's words; `None` where none could be found, which is not right, but
            worth telling apart.
    """

    right: bool
    how: MatchKind | None
    final: str | None


def match_reference(task: Task, answer: str) -> Match:
    """Compare `answer`, reasoning and all, with the references of `task`; any one suffices."""
    finals = [final.text for final in final_answers(answer) if final.text.strip()]
    for line in task.reference:
        reference = _HASHES.sub("", line)  # as GSM8K writes its answers
        if how := _match_kind(task.question, answer, finals, reference):
            return Match(right=True, how=how, final=finals[0] if finals else None)
    return Match(right=False, how=None, final=finals[0] if finals else None)


def _match_kind(question: str, answer: str, finals: list[str], reference: str) -> MatchKind | None:
    if reference in finals:
        return "exact"
    agreement = compare_closed(question, [answer, json.dumps({"answer": reference})])
    if agreement.closed and len(agreement.groups) == 1:
        return "numeric"
    # Only after the comparison by value, by which "1,000" and "1000" are alike: as texts they are not.
    fold = _strip_quotes if expected_answer(question).code else _fold  # in code a letter's case and each blank count
    plain, number = fold(reference), _bare_number(reference)
    if plain and any(fold(final) == plain for final in finals):
        return "normalised"
    if (
        number is not None
        and not expected_answer(question).code
        and any(_only_number(final) == number for final in finals)
    ):
        return "normalised"
    return None


def _strip_quotes(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return quoted[2] if quoted else text


def _fold(text: str) -> str:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".")
    return _strip_quotes(plain).strip()


def _bare_number(text: str) -> Fraction | None:
    return _parse_number(text.strip()) if _NUMBER.fullmatch(text.strip()) else None


def _only_number(text: str) -> Fraction | None:
    """Return the only number of a text that is no formula, such as "$2 per hour"; `None` elsewhere."""
    # In a formula a number is not the value: 6 is not the answer that "6*sqrt(2)" gives.
    numbers = _NUMBER.findall(text)
    return _parse_number(numbers[0]) if len(numbers) == 1 and not _FORMULA.search(text) else None


def _parse_number(number: str) -> Fraction:
    return Fraction(number.replace(",", "").replace("\u2212", "-"))
