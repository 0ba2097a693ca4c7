"""Whether closed answers agree: decided by their normal forms, no model asked.

What cannot be read for certain does not agree: a judge can still find that two answers are the same, and nobody would
notice that two taken for the same were not.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from fusion_tool.grounding.closed_answers.extraction import final_answers
from fusion_tool.grounding.closed_answers.question import ExpectedAnswer, expected_answer
from fusion_tool.grounding.closed_answers.terms import Value
from fusion_tool.grounding.closed_answers.values import parse_value

_LONGEST_TEXT = 40_000
_LONGEST = 2_000
"""Characters of an answer that is compared."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How answers to one question compare.

    Args:
        closed: Each of them ends in an answer that can be compared; else a judge must decide.
        groups: The indices of equal answers, largest group first, then by first index; answers without a comparable
            end are in none.
        answers: Each answer's end in its author's words, `None` where there is none that can be compared.
    """

    closed: bool
    groups: tuple[tuple[int, ...], ...]
    answers: tuple[str | None, ...]


def compare_closed(question: str, answers: Sequence[str]) -> Agreement:
    """Compare the final answers of `answers`.

    Args:
        question: What they answer; it tells code output from prose, choices from letters, percentages from numbers.
        answers: Whole texts, reasoning included.

    Returns:
        Groups of equal answers. Numbers are equal if they are exactly so, in the same unit; one written without a
        unit is equal to the same number in the only unit that the others use.
    """
    wanted = expected_answer(question)
    ends = [_end(answer, wanted) for answer in answers]
    values = {index: end[1] for index, end in enumerate(ends) if end}
    return Agreement(
        closed=bool(ends) and all(ends),
        groups=_groups(values),
        answers=tuple(end[0] if end else None for end in ends),
    )


def _end(answer: str, expected: ExpectedAnswer) -> tuple[str, Value] | None:
    """The answer's end and its value, where it can be compared."""
    if len(answer) > _LONGEST_TEXT:
        return None
    for final in final_answers(answer):
        value = parse_value(final.text, expected) if len(final.text) <= _LONGEST else None
        if value and (final.marked or (value.typed and not expected.open)):
            return final.text, value
        if final.marked:
            return None
    return None


def _groups(values: dict[int, Value]) -> tuple[tuple[int, ...], ...]:
    with_unit: dict[Hashable, set[Hashable]] = defaultdict(set)
    for value in values.values():
        if value.key != value.written:
            with_unit[value.written].add(value.key)
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, value in values.items():
        units = with_unit.get(value.key, set())
        groups[next(iter(units)) if len(units) == 1 else value.key].append(index)
    return tuple(sorted(map(tuple, groups.values()), key=lambda group: (-len(group), group[0])))
