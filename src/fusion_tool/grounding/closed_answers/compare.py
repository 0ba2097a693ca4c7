"""Whether closed answers agree, decided by their normal forms and without a model.

Answers that cannot be read for certain do not agree. The two errors differ in cost: a judge can still find that two
answers are the same, but nobody would notice that two different answers were taken for one.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from fusion_tool.grounding.closed_answers.extraction import final_answers, without_citations
from fusion_tool.grounding.closed_answers.question import ExpectedAnswer, expected_answer
from fusion_tool.grounding.closed_answers.sentences import stated_answer
from fusion_tool.grounding.closed_answers.terms import Value
from fusion_tool.grounding.closed_answers.values import parse_value

# Texts come from models: the patterns and the algebra must not be kept busy by a hostile or a runaway answer.
_MAX_TEXT = 40_000
_MAX_ANSWER = 2_000
"""Characters of a text, and of the final answer in it, beyond which it is not compared."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How answers to one question compare.

    Args:
        closed: Every text ends in an answer that can be compared; else a judge must decide.
        groups: The indices of equal answers, largest group first, then by first index; answers without a comparable
            end are in none.
        answers: Each text's final answer in its author's words; `None` where there is none that can be compared.
    """

    closed: bool
    groups: tuple[tuple[int, ...], ...]
    answers: tuple[str | None, ...]


def compare_closed(question: str, answers: Sequence[str]) -> Agreement:
    """Compare the final answers of `answers`.

    Args:
        question: The question that all answer; it tells the output of code from prose, a choice from a letter, a
            percentage from a number.
        answers: Whole texts, reasoning included.

    Returns:
        Groups of equal answers. Numbers are equal if they are exactly so, in the same unit; one written without a
        unit is equal to the same number in the only unit that the others use.
    """
    expected = expected_answer(question)
    ends = [_end(answer, question, expected) for answer in answers]
    values = {index: end[1] for index, end in enumerate(ends) if end}
    return Agreement(
        closed=bool(ends) and all(ends),
        groups=_groups(values),
        answers=tuple(end[0] if end else None for end in ends),
    )


def is_one_answer(question: str, texts: Sequence[str]) -> bool:
    """Tell whether texts that are nothing but an answer each all give the same one.

    Args:
        question: The question that they answer.
        texts: The bare answers; one that is a sentence gives none.
    """
    # "Yes, but later" is more than its first word.
    expected = replace(expected_answer(question), yes_or_no=False)
    values = {index: parse_value(text, expected) for index, text in enumerate(texts) if len(text) <= _MAX_ANSWER}
    readable = {index: value for index, value in values.items() if value}
    return len(readable) == len(texts) > 0 and len(_groups(readable)) == 1


def _end(answer: str, question: str, expected: ExpectedAnswer) -> tuple[str, Value] | None:
    """Return the final answer in `answer` and its value; `None` where it cannot be compared."""
    if len(answer) > _MAX_TEXT:
        return None
    for final in final_answers(answer):
        value = parse_value(final.text, expected) if len(final.text) <= _MAX_ANSWER else None
        if value and value.is_typed and (final.is_marked or not expected.open):
            return final.text, value
        # What its author calls the answer is the answer, readable or not: no other place may stand in for it. Mere
        # words may be a sentence that states a value.
        if final.is_marked:
            return stated_answer(final.text, question, expected) or ((final.text, value) if value else None)
    # The last words of a text are its answer only where they are more than words: prose ends in some phrase, too.
    return stated_answer(without_citations(answer), question, expected)


def _groups(values: dict[int, Value]) -> tuple[tuple[int, ...], ...]:
    with_unit: dict[Hashable, set[Hashable]] = defaultdict(set)
    for value in values.values():
        if value.key != value.bare_key:
            with_unit[value.bare_key].add(value.key)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, value in values.items():
        # A number without a unit joins the same number with one, unless there are two units: it could be either.
        units = with_unit.get(value.key, set())
        groups[next(iter(units)) if len(units) == 1 else value.key].append(index)
    return tuple(sorted(map(tuple, groups.values()), key=lambda group: (-len(group), group[0])))
