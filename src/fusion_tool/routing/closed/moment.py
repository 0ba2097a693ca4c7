"""Dates and times of day, where they are the whole answer."""

import re
from collections.abc import Hashable

from fusion_tool.grounding.dates import dates

_PREPOSITION = re.compile(r"^(?:on|in|at)\s+", re.IGNORECASE)
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.]\d{4}")
_TWELVE = re.compile(r"(?P<hour>1[0-2]|0?[1-9])(?:[:.](?P<minute>[0-5]\d))?\s*(?P<half>[ap])\.?m\.?", re.IGNORECASE)
_TWENTY_FOUR = re.compile(r"(?P<hour>1[3-9]|2[0-3]):(?P<minute>[0-5]\d)")
_MONTHS = 12


def moment(text: str) -> Hashable | None:
    """The date or the time of day that `text` is; `None` for anything else, bare years and `03/04/2024` among it."""
    text = _PREPOSITION.sub("", text.strip())
    if clock := _TWELVE.fullmatch(text):
        return ("time", int(clock["hour"]) % 12 + 12 * (clock["half"].lower() == "p"), int(clock["minute"] or 0))
    if clock := _TWENTY_FOUR.fullmatch(text):
        return ("time", int(clock["hour"]), int(clock["minute"]))
    slashed = _SLASHED.fullmatch(text)
    if slashed and max(int(slashed[1]), int(slashed[2])) <= _MONTHS and slashed[1] != slashed[2]:
        return None
    found = dates(text)
    if len(found) != 1 or (found[0].start, found[0].end) != (0, len(text.rstrip("."))):
        return None
    date = found[0]
    return ("date", date.year, date.month, date.day, date.quarter) if date.month or date.quarter else None
