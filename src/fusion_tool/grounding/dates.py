"""The dates of a text, each as precise as it is written, and whether one bears out another."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fusion_tool.grounding.quantities import alternation, load_tables

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = (
    r"(?P<{0}>january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
_YEAR = r"(?P<{0}>1[0-9]{{3}}|20[0-9]{{2}}|2100)"
# Units in the plural: "the 2021 second quarter" and "2021 US sales" hold years.
_UNITS = [unit for kind in load_tables()["units"].values() for _, *names in kind.values() for unit in names]
_PLURALS = alternation(["feet", *(unit for unit in _UNITS if unit.endswith("s") and len(unit) > len("kgs"))])
_COUNTED = (
    rf"°|%|km|kg|m\b|MW|GW|(?:{_PLURALS})\b|(?-i:[kMGT]i?B|[kMGT]Wh?|ms|min|h|ft|mph|[mcn]m)\b"
    r"|dollars|euros|people|percent|per cent|million|billion|units|users|tokens|calls|lines|rows|files|steps"
    r"|employees|workers|students|species|pages|seats|homes|vehicles|times"
)
"""What makes the four digits before it a count ("2000 people", "1080 minutes") and no year."""
_DAY = r"(?P<{0}>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?"


@dataclass(frozen=True, slots=True)
class Date:
    """A date; a part that the text does not give is `None`.

    Args:
        year: 1000 to 2100, or the first year of a decade.
        month: 1 to 12.
        day: 1 to 31.
        quarter: 1 to 4.
        decade: The date is a whole decade, "the 1990s".
        start: Offset of the first character in the text.
        end: Offset behind the last character.
    """

    year: int | None
    month: int | None
    day: int | None
    quarter: int | None
    decade: bool
    start: int
    end: int


class Span(Protocol):
    """A part of a text."""

    @property
    def start(self) -> int:
        """Offset of the first character."""

    @property
    def end(self) -> int:
        """Offset behind the last character."""


# The fullest form first: a later one is taken only where no earlier one has been. "03/04/2024", which can be read both
# ways, is read day first; a month without a year needs a preposition, since "may" and "march" are words.
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\b(?P<year>[12][0-9]{3})-(?P<number>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])\b",
        r"\b(?P<day>3[01]|[12][0-9]|0?[1-9])[./](?P<number>1[0-2]|0?[1-9])[./](?P<year>[12][0-9]{3})\b",
        r"\b(?P<number>1[0-2]|0?[1-9])/(?P<day>3[01]|[12][0-9]|0?[1-9])/(?P<year>[12][0-9]{3})\b",
        rf"\b{_DAY.format('day')}\s+(?:of\s+)?{_MONTH.format('month')},?(?:\s+{_YEAR.format('year')}\b)?",
        rf"\b{_MONTH.format('month')}\s+{_DAY.format('day')}\b(?:,?\s+{_YEAR.format('year')}\b)?",
        rf"\b{_MONTH.format('month')},?\s+(?:of\s+)?{_YEAR.format('year')}\b",
        rf"\bQ(?P<quarter>[1-4])\s+(?:of\s+)?{_YEAR.format('year')}\b",
        r"\b(?P<ordinal>first|second|third|fourth)\s+quarter(?:\s+of)?\s+" + _YEAR.format("year") + r"\b",
        r"\b(?P<decade>[12][0-9]{2}0)s\b",
        rf"\b(?:in|since|until|by|during|last|this|from|of|early|late|mid)[\s-]{_MONTH.format('month')}(?!\w)",
        rf"(?<![\w$€£¥.,])(?:mid-|early-|late-)?{_YEAR.format('year')}(?![\w%]|[.,]\d|\s?(?:{_COUNTED}))",
    )
]
_DIGIT = re.compile(r"\d")
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}


def find_dates(text: str) -> list[Date]:
    """Return the dates of `text` in order of their place; of readings that overlap, the fullest."""
    dates: list[Date] = []
    # Without a digit only "in March" is possible; most sentences have none, and are spared the other ten searches.
    for form in _FORMS if _DIGIT.search(text) else _FORMS[-2:-1]:
        for match in form.finditer(text):
            if not any(match.start() < other.end and other.start < match.end() for other in dates):
                dates.append(_parse_date(match))
    return sorted(dates, key=lambda date: date.start)


def blank_spans(text: str, spans: Iterable[Span]) -> str:
    """Return `text` with `spans` overwritten by blanks, so that they are not read as something else, too."""
    for part in spans:
        text = text[: part.start] + " " * (part.end - part.start) + text[part.end :]
    return text


def _parse_date(match: re.Match[str]) -> Date:
    part = {name: value for name, value in match.groupdict().items() if value}
    month = int(part["number"]) if "number" in part else None
    if "month" in part:
        month = next(i for i, name in enumerate(_MONTHS, 1) if name[:3] == part["month"][:3].lower())
    quarter = _ORDINALS.get(part.get("ordinal", "").lower()) or int(part.get("quarter", 0)) or None
    year = part.get("year") or part.get("decade")
    return Date(
        year=int(year) if year else None,
        month=month,
        day=int(part["day"]) if "day" in part else None,
        quarter=quarter,
        decade="decade" in part,
        start=match.start(),
        end=match.end(),
    )


def conflicts(claim: Date, source: Date) -> bool:
    """Return whether the two cannot be the same date; a part that one of them lacks is no conflict."""
    if claim.year and source.year:
        # "The 1990s" and 1994 may be the same date: with a decade on either side only decades are compared.
        if claim.decade or source.decade:
            if claim.year // 10 != source.year // 10:
                return True
        elif claim.year != source.year:
            return True
    pairs = ((claim.month, source.month), (claim.day, source.day), (_quarter(claim), _quarter(source)))
    return any(ours and theirs and ours != theirs for ours, theirs in pairs)


def is_borne_out(claim: Date, source: Date) -> bool:
    """Return whether `source` gives everything that `claim` states; the year may stand elsewhere in the text."""
    # A year alone must be there; that of a full date may stand in a heading, far from the day and the month.
    if conflicts(claim, source) or (claim.year and not source.year and not claim.month):
        return False
    # `_quarter` only on the source's side: "March" bears out "the first quarter", and not the other way round.
    parts = ((claim.month, source.month), (claim.day, source.day), (claim.quarter, _quarter(source)))
    is_exact = not (claim.year and source.decade and not claim.decade)
    return is_exact and all(theirs or not ours for ours, theirs in parts)


def _quarter(date: Date) -> int | None:
    return date.quarter or ((date.month + 2) // 3 if date.month else None)
