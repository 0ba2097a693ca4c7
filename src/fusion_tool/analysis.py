"""The judge's comparison: anonymous letters in, the panel's own names out.

Answers reach the judge as A, B, C in an order that depends on the run's nonce alone, so that neither a model's
name nor its place sways the comparison; a resumed run sees the same order.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import json_repair
from pydantic import TypeAdapter, ValidationError

from fusion_tool.result import Analysis, Contradiction, PartialCoverage, Stance, UniqueInsight

_KINDS: dict[str, Any] = {
    "consensus": str,
    "contradictions": Contradiction,
    "partial_coverage": PartialCoverage,
    "unique_insights": UniqueInsight,
    "blind_spots": str,
}
_LETTER = re.compile(r"\b[A-K]\b")  # eight seats, and three asked once more
_ONE_LETTER = re.compile(r"(?:answer\s+)?[(\[]?([A-K])[)\].:]?", re.IGNORECASE)
_LETTERS = re.compile(r"\b[Aa]nswers?\s+([A-K]\b(?:(?:,\s*|,?\s+(?:and|or)\s+|\s*&\s*)[A-K]\b)*)")


class Comparison(Analysis):
    """A judge's reply: the analysis, still with letters, and whether it finds the question settled, where asked."""

    settled: bool = False

    @property
    def analysis(self) -> dict[str, Any]:
        """The analysis alone."""
        return self.model_dump(exclude={"settled"})


class InvalidAnalysis(ValueError):  # noqa: N818 - it names what the reply is
    """A judge's reply that holds no analysis; the message tells the judge what is wrong."""


def shuffled(keys: Sequence[str], *, nonce: str) -> dict[str, str]:
    """A letter for each answer, `{letter: key}`, in the letters' order."""
    order = sorted(keys)
    random.Random(nonce).shuffle(order)  # noqa: S311 - it hides an order, it protects nothing
    return dict(zip(ascii_uppercase, order, strict=False))


def schema(letters: Sequence[str], *, statements: Sequence[str] = (), settled: bool = False) -> dict[str, Any]:
    """The JSON schema of a judge's reply.

    Args:
        letters: The answers' letters; a stance may name no other.
        statements: For a small model whose server enforces the grammar: it may only sort these, not write its own.
        settled: Whether to ask if the question is settled.
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
        **({"settled": {"type": "boolean"}} if settled else {}),
    )


def shape(letters: Sequence[str], *, settled: bool = False) -> str:
    """The schema as text, for a model whose endpoint does not enforce it."""
    return json.dumps(schema(letters, settled=settled))


def parse(reply: str | Mapping[str, Any]) -> Comparison:
    """The analysis in a judge's reply, still with letters; tolerant of fences, prose around it and bad commas.

    Raises:
        InvalidAnalysis: There is none.
    """
    value, mended = (reply, False) if isinstance(reply, Mapping) else _object_in(reply)
    if not value or not (set(value) & set(Analysis.model_fields)):
        raise InvalidAnalysis("no JSON object with the fields " + ", ".join(Analysis.model_fields))
    lists = {field: _items(value.get(field), kind) for field, kind in _KINDS.items()}
    for field, (valid, complaint) in lists.items():
        if complaint and not valid and not mended:
            raise InvalidAnalysis(f"{field}: {complaint}")
    fields = {field: valid for field, (valid, _) in lists.items()}
    return Comparison(**fields, settled=value.get("settled") is True)


def _items(rows: Any, kind: Any) -> tuple[list[Any], str]:
    """The valid items of one list, and what is wrong with the last invalid one.

    A reply that errs in one item loses that item, not the whole analysis.
    """
    adapter = TypeAdapter(kind)
    valid, complaint = [], ""
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        try:
            valid.append(adapter.validate_python(row))
        except ValidationError as error:
            complaint = error.errors(include_url=False)[0]["msg"]
    return valid, complaint


def named(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """`analysis` with each letter replaced by the name it stands for, in the texts too ("Answer B says ...")."""

    def name(letter: str) -> str:
        match = _ONE_LETTER.fullmatch(letter.strip())
        return names.get(match[1].upper(), letter) if match else letter

    def text(value: str) -> str:
        return _LETTERS.sub(restored, value)

    def restored(match: re.Match[str]) -> str:
        known = all(letter in names for letter in _LETTER.findall(match[1]))
        return _LETTER.sub(lambda letter: names[letter[0]], match[1]) if known else match[0]

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


def _object_in(reply: str) -> tuple[dict[str, Any], bool]:
    """The JSON object in a reply, and whether it had to be mended: then its last item may be half of one."""
    begin = reply.find("{")
    if begin < 0:
        return {}, False
    try:
        value, mended = json.loads(reply[begin : reply.rfind("}") + 1]), False
    except json.JSONDecodeError:
        value, mended = json_repair.loads(reply[begin:]), True
    return (value, mended) if isinstance(value, dict) else ({}, mended)
