"""A second reader's reply: the schema that it is asked for, and the verdicts that are read out of what comes."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from fusion_tool.graph.result import ReaderVerdict
from fusion_tool.models.capabilities import InvalidReplyError
from fusion_tool.models.json_reader import read_objects

_VERDICTS: dict[str, ReaderVerdict] = {verdict: verdict for verdict in get_args(ReaderVerdict)}
_NO_QUOTE = frozenset({"", "-", "none", "n/a", "null", "nothing"})
_MARKS = " \t\n\"'\u201c\u201d\u2018\u2019«»…"


class QuotedVerdict(NamedTuple):
    """A verdict, and the words that it relies on; empty where it quotes none."""

    verdict: ReaderVerdict
    quote: str


def reply_schema(count: int) -> dict[str, Any]:
    """Return the JSON schema of a reply on sentences with the ids 1 to `count`."""
    row = {
        "id": {"type": "integer", "enum": list(range(1, count + 1))},
        "verdict": {"type": "string", "enum": list(_VERDICTS)},
        "quote": {"type": "string"},
    }
    rows = {"type": "object", "properties": row, "required": list(row), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"verdicts": {"type": "array", "items": rows}},
        "required": ["verdicts"],
        "additionalProperties": False,
    }


def parse_verdicts(reply: Any, count: int) -> dict[int, QuotedVerdict]:
    """Return the verdicts of a reply by id, 1 to `count`; an id with two different verdicts has none.

    Args:
        reply: A reply's text and the arguments of its calls.
        count: How many sentences were shown; other ids are passed over.

    Raises:
        InvalidReplyError: No row can be read.
    """
    verdicts: dict[int, QuotedVerdict] = {}
    contradictory: set[int] = set()
    for row in _rows(reply):
        number, verdict = _number(row.get("id")), _verdict(row.get("verdict"))
        if number is None or not 1 <= number <= count or verdict is None:
            continue
        earlier = verdicts.setdefault(number, QuotedVerdict(verdict, _quote(row.get("quote"))))
        if earlier.verdict != verdict:
            contradictory.add(number)
    if not verdicts:
        raise InvalidReplyError("no JSON object with verdicts of the ids that were shown")
    return {number: verdict for number, verdict in verdicts.items() if number not in contradictory}


def _rows(reply: Any) -> list[Mapping[str, Any]]:
    """Return the rows of the last object that has any, else those that stand by themselves."""
    wholes = read_objects(reply, lambda value: isinstance(value.get("verdicts"), list | dict))
    for whole in reversed(wholes):
        listed = whole.value["verdicts"]
        if isinstance(listed, dict):  # verdicts by id
            listed = [{"id": key} | row for key, row in listed.items() if isinstance(row, dict)]
        if rows := [row for row in listed if isinstance(row, Mapping)]:
            return rows
    return [row.value for row in read_objects(reply, lambda value: {"id", "verdict"} <= value.keys())]


def _number(value: Any) -> int | None:
    digits = re.fullmatch(r"\s*(?:id\s*)?(\d{1,4})\s*", str(value))
    return int(digits[1]) if digits and not isinstance(value, bool) else None


def _verdict(value: Any) -> ReaderVerdict | None:
    return _VERDICTS.get(" ".join(re.split(r"[\s_-]+", str(value).strip(_MARKS + ".").lower())))


def _quote(value: Any) -> str:
    text = value.strip(_MARKS) if isinstance(value, str) else ""
    return "" if text.lower().rstrip(".") in _NO_QUOTE else text
