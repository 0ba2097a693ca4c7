"""The judge's comparison: anonymous letters in, the panel's own names out.

Answers reach the judge as A, B, C in an order that depends on the run's nonce alone, so that neither a model's
name nor its place sways the comparison; a resumed run sees the same order.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, TypeVar

import json_repair
from pydantic import TypeAdapter, ValidationError

from fusion_tool.result import Analysis, Contradiction, PartialCoverage, Stance, UniqueInsight

T = TypeVar("T")

_FUNCTION = "report_comparison"


_LETTER = re.compile(r"\b[A-H]\b")
_ONE_LETTER = re.compile(r"(?:answer\s+)?[(\[]?([A-H])[)\].:]?", re.IGNORECASE)
_LETTERS = re.compile(r"\b[Aa]nswers?\s+([A-H]\b(?:(?:,\s*|,?\s+(?:and|or)\s+|\s*&\s*)[A-H]\b)*)")


class InvalidAnalysis(ValueError):  # noqa: N818 - it names what the reply is
    """A judge's reply that holds no analysis; the message tells the judge what is wrong."""


def shuffled(seats: Sequence[str], *, nonce: str) -> dict[str, str]:
    """A letter for each seat, `{letter: seat}`, in the letters' order."""
    order = sorted(seats)
    random.Random(nonce).shuffle(order)  # noqa: S311 - it hides an order, it protects nothing
    return dict(zip(ascii_uppercase, order, strict=False))


def schema(letters: Sequence[str], *, statements: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON schema of a judge's reply.

    Args:
        letters: The answers' letters; a stance may name no other.
        statements: For a small model whose server enforces the grammar: it may only sort these, not write its own.
    """
    text = {"type": "string"} | ({"enum": list(statements)} if statements else {})
    letter = {"type": "string", "enum": list(letters)}

    def many(item: dict[str, Any], most: int = 1) -> dict[str, Any]:
        return {"type": "array", "items": item} | ({"maxItems": most} if statements else {})

    def fields(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    return fields(
        consensus=many(text),
        contradictions=many(fields(topic=text, stances=many(fields(model=letter, stance=text), most=2))),
        partial_coverage=many(fields(models=many(letter), point=text)),
        unique_insights=many(fields(model=letter, insight=text)),
        blind_spots=many(text),
    )


def shape(letters: Sequence[str]) -> str:
    """The schema as text, for a model whose endpoint does not enforce it."""
    return json.dumps(schema(letters))


def reply_modes(
    model: Any, letters: Sequence[str], *, schema_taken: bool | None, tools: bool, statements: Sequence[str] = ()
) -> list[Any]:
    """`model`, bound in each way of getting a structured reply that it may know, the strictest first.

    Args:
        model: A chat model.
        letters: The answers' letters.
        schema_taken: Whether its endpoint takes OpenAI's `response_format`; `None`: try and see.
        tools: Whether it can call functions.
        statements: As for `schema`.

    Returns:
        At least one runnable; the last one asks in prose.
    """
    wanted = schema(letters, statements=statements)
    modes: list[Any] = []
    if schema_taken is not False:
        json_schema = {"name": _FUNCTION, "strict": True, "schema": wanted}
        modes.append(model.bind(response_format={"type": "json_schema", "json_schema": json_schema}))
    if tools and not statements:
        about = "Hand in the comparison."
        function = {"name": _FUNCTION, "description": about, "parameters": wanted}
        modes.append(model.bind_tools([{"type": "function", "function": function}], tool_choice=_FUNCTION))
    return [*modes, model]


def parse(reply: str | Mapping[str, Any]) -> Analysis:
    """The analysis in a judge's reply, still with letters; tolerant of fences, prose around it and bad commas.

    Raises:
        InvalidAnalysis: There is none.
    """
    value = reply if isinstance(reply, Mapping) else _object_in(reply)
    if not value or not (set(value) & set(Analysis.model_fields)):
        raise InvalidAnalysis("no JSON object with the fields " + ", ".join(Analysis.model_fields))
    return Analysis(
        consensus=_items(value, "consensus", str),
        contradictions=_items(value, "contradictions", Contradiction),
        partial_coverage=_items(value, "partial_coverage", PartialCoverage),
        unique_insights=_items(value, "unique_insights", UniqueInsight),
        blind_spots=_items(value, "blind_spots", str),
    )


def _items(value: Mapping[str, Any], field: str, kind: type[T]) -> list[T]:
    """The valid items of one list; a reply that was cut off loses its last item, not the whole analysis.

    Raises:
        InvalidAnalysis: There are items, and none is valid (but one alone, which may have been cut off).
    """
    rows, adapter = value.get(field) or [], TypeAdapter(kind)
    valid, complaint = [], ""
    rows = rows if isinstance(rows, list) else [rows]
    for row in rows:
        try:
            valid.append(adapter.validate_python(row))
        except ValidationError as error:
            complaint = error.errors(include_url=False)[0]["msg"]
    if complaint and not valid and not _unfinished(rows):
        raise InvalidAnalysis(f"{field}: {complaint}")
    return valid


def _unfinished(rows: list[Any]) -> bool:
    """Whether the only item is an object that stops short of its last field, as a cut-off reply leaves it."""
    return len(rows) == 1 and isinstance(rows[0], Mapping) and "error" not in rows[0]


def named(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """`analysis` with each letter replaced by the name it stands for, in the texts too ("Answer B says ...")."""

    def name(letter: str) -> str:
        match = _ONE_LETTER.fullmatch(letter.strip())
        return names.get(match[1].upper(), letter) if match else letter

    def text(value: str) -> str:
        return _LETTERS.sub(lambda match: _LETTER.sub(lambda one: names.get(one[0].upper(), one[0]), match[1]), value)

    return Analysis(
        consensus=[text(point) for point in analysis.consensus],
        contradictions=[
            Contradiction(
                topic=text(dispute.topic),
                stances=[Stance(model=name(s.model), stance=text(s.stance)) for s in dispute.stances],
            )
            for dispute in analysis.contradictions
        ],
        partial_coverage=[
            PartialCoverage(models=[name(m) for m in part.models], point=text(part.point))
            for part in analysis.partial_coverage
        ],
        unique_insights=[
            UniqueInsight(model=name(one.model), insight=text(one.insight)) for one in analysis.unique_insights
        ],
        blind_spots=[text(spot) for spot in analysis.blind_spots],
    )


def _object_in(reply: str) -> dict[str, Any]:
    begin = reply.find("{")
    if begin < 0:
        return {}
    try:
        value = json.loads(reply[begin : reply.rfind("}") + 1])
    except json.JSONDecodeError:
        value = json_repair.loads(reply[begin:])
    return value if isinstance(value, dict) else {}
