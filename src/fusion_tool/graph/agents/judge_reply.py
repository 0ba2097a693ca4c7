"""A judge's reply: the schema that it is asked for, and the analysis that is read out of what comes.

Endpoints that enforce no schema, and models that know better, wrap the object, draft it first, write lists as strings
and rows as mappings. What says the same is read as the same; what is missing is missing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fusion_tool.graph.agents.judge_noise import example, real_disputes, without_noise
from fusion_tool.graph.agents.judge_rows import ROWS, text_rows
from fusion_tool.graph.result import Analysis, Contradiction, PartialCoverage, UniqueInsight, UnsupportedClaim
from fusion_tool.models.capabilities import InvalidReplyError
from fusion_tool.models.json_reader import JsonObject, read_objects
from fusion_tool.models.schema_echo import NOTHING, fill_in

_KINDS: dict[str, TypeAdapter[Any]] = {
    "consensus": TypeAdapter(str),
    "contradictions": TypeAdapter(Contradiction),
    "partial_coverage": TypeAdapter(PartialCoverage),
    "unique_insights": TypeAdapter(UniqueInsight),
    "blind_spots": TypeAdapter(str),
    "unsupported_claims": TypeAdapter(UnsupportedClaim),
}
_OPTIONAL = {"unsupported_claims"}
"""What a judge may leave out and still be whole."""
_REASONS = ["The source does not say it.", "The source says otherwise."]
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class JudgeReply(Analysis):
    """The analysis, still with letters; whether the judge finds the question settled, and whether it broke off."""

    settled: bool = False
    is_cut_off: bool = False

    @property
    def analysis(self) -> dict[str, Any]:
        """The analysis alone."""
        return self.model_dump(include=set(Analysis.model_fields))


def reply_schema(
    letters: Sequence[str], *, statements: Sequence[str] = (), doubtful: Sequence[str] = (), settled: bool = False
) -> dict[str, Any]:
    """Return the JSON schema of a judge's reply.

    Args:
        letters: The answers' letters; a stance may name no other.
        statements: For a small model whose server enforces the grammar: it may only sort these, not write its own.
        doubtful: Of these, those that it may call unsupported; without any it is not asked.
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

    claim = text | ({"enum": list(doubtful)} if statements else {})
    why: dict[str, Any] = {"type": "string"} | ({"enum": _REASONS} if statements else {})
    unsupported = many(fields(model=letter, claim=claim, why=why), most=len(doubtful))
    return fields(
        consensus=many(text),
        contradictions=many(fields(topic=text, stances=many(fields(model=letter, stance=text), most=2))),
        partial_coverage=many(fields(models=many(letter), point=text)),
        unique_insights=many(fields(model=letter, insight=text)),
        blind_spots=many(text),
        **({"unsupported_claims": unsupported} if doubtful or not statements else {}),
        **({"settled": {"type": "boolean"}} if settled else {}),
    )


def example_text(letters: Sequence[str], *, settled: bool = False) -> str:
    """Return a whole reply about another matter, for the prompt: of a schema small models make an echo."""
    fields = example(letters or "AB") | ({"settled": False} if settled else {})
    return "{" + ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in fields.items()) + "}"


def parse_reply(reply: Any, question: str = "") -> JudgeReply:
    """Return the analysis in a judge's reply, still with letters: the last whole object that fits, no draft before it.

    An object that breaks off is read up to its last finished item where none is whole.

    Args:
        reply: A text, an object, or a list of such: a reply's text and the arguments of its calls.
        question: What was asked, which tells a choice's letter from an answer's.

    Raises:
        InvalidReplyError: There is no analysis in it; says what was wrong with the best candidate.
    """
    objects = _join_parts(read_objects(reply, lambda value: bool(_fields(value))))
    # Sorting is stable: among equals the later one, which a model wrote to replace its draft, stays the better.
    best_last = sorted(objects, key=lambda candidate: (not _breaks_off(candidate), _is_complete(candidate)))
    complaints = []
    for candidate in reversed(best_last):
        try:
            analysis = _parse(candidate, question)
        except InvalidReplyError as error:
            complaints.append(error)
            continue
        # One that breaks off behind it was to replace it: what is read is then a draft, and the reply not whole.
        broken_later = any(map(_breaks_off, objects[objects.index(candidate) :]))
        return analysis.model_copy(update={"is_cut_off": broken_later})
    if complaints:
        raise complaints[0]
    raise InvalidReplyError("no JSON object with the fields " + ", ".join(Analysis.model_fields))


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an analysis, and `settled`, in whatever case and with whatever between their words."""
    names = {"_".join(_WORDS.findall(str(key))).lower(): field for key, field in value.items()}
    fields = {name: names[name] for name in _KINDS if name in names}
    # Alone it is no analysis: any object may have a field of that name.
    return fields | ({"settled": names["settled"]} if fields and "settled" in names else {})


def _join_parts(objects: list[JsonObject]) -> list[JsonObject]:
    """Return one object out of several that have a field of the analysis each: none of them replaces another."""
    parts = [_fields(part.value) for part in objects]
    names = [name for part in parts for name in part]
    if len(parts) < 2 or len(names) > len(set(names)) or any(map(_is_complete, objects)):  # noqa: PLR2004 - one alone
        return objects
    return [JsonObject({name: value for part in parts for name, value in part.items()}, objects[-1].missing)]


def _is_complete(candidate: JsonObject) -> bool:
    return _KINDS.keys() - _OPTIONAL <= _fields(candidate.value).keys()


def _breaks_off(candidate: JsonObject) -> bool:
    # A last brace that was forgotten takes nothing away.
    return bool(candidate.missing) and not (candidate.missing == "}" and _is_complete(candidate))


def _parse(candidate: JsonObject, question: str) -> JudgeReply:
    written = _fields(candidate.value)
    fields = {name: value for name, part in written.items() if (value := fill_in(part)) is not NOTHING}
    if not fields:
        raise InvalidReplyError("it repeats a schema and fills nothing in")
    lists: dict[str, list[Any]] = {}
    lost = 0
    for name, adapter in _KINDS.items():
        rows = ROWS.get(name, text_rows)(fields.get(name))
        valid, complaint = _valid(rows, adapter)
        # A list of which nothing can be read is told to the model; a broken-off reply may end in half an item.
        if complaint and not valid and not candidate.missing:
            raise InvalidReplyError(f"{name}: {complaint}")
        is_dispute = name == "contradictions"
        lists[name] = real_disputes(valid, question) if is_dispute else without_noise(valid, question)
        lost += 0 if is_dispute else len(valid) - len(lists[name])
    if lost and not any(lists.values()):
        raise InvalidReplyError("its items are bare letters, or repeat the example")
    return JudgeReply(**lists, settled=fields.get("settled") in (True, "true", "True"))


def _valid(rows: list[Any], adapter: TypeAdapter[Any]) -> tuple[list[Any], str]:
    """Return the valid items of one list, and what is wrong with the last invalid one.

    A reply that errs in one item loses that item, not the whole analysis.
    """
    valid, complaint = [], ""
    for row in rows:
        try:
            valid.append(adapter.validate_python(row))
        except ValidationError as error:
            complaint = error.errors(include_url=False)[0]["msg"]
    return valid, complaint
