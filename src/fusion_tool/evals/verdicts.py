"""`Verdict`: what a judge found of one criterion; asked for as JSON, read tolerantly, never guessed."""

import json
import re
from collections.abc import Mapping
from typing import Any

import json_repair
from pydantic import BaseModel, ConfigDict

from fusion_tool.errors import Reason
from fusion_tool.usage import Call

NAME = "report_verdict"
_WORDS = {"MET": True, "UNMET": False, "NOT MET": False}
_ALONE = re.compile(r"[\s*_`\"'.]*(?:verdict\s*[:=]?)?[\s*_`\"'.]*(not met|unmet|met)[\s*_`\"'.]*", re.IGNORECASE)
_LABELLED = re.compile(r"verdict[\s*_`\"':=]+(not[ _]met|unmet|met)\b", re.IGNORECASE)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "verdict": {"type": "string", "enum": ["MET", "UNMET"]},
    },
    "required": ["explanation", "verdict"],
    "additionalProperties": False,
}
"""The explanation comes first, so that the verdict follows from it."""


class InvalidVerdict(ValueError):  # noqa: N818 - it names what the reply is
    """A judge's reply that holds no verdict; the message tells the judge what is wrong."""


class Verdict(BaseModel):
    """One pass over one criterion.

    Args:
        criterion: Its id.
        repeat: Which pass, from 1.
        met: Whether the statement holds; `None` where the judge gave no verdict.
        explanation: The judge's own words.
        reason: Why there is no verdict, `None` where there is one.
        calls: The bill of it, a retry's call included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    criterion: str
    repeat: int = 1
    met: bool | None
    explanation: str = ""
    reason: Reason | None = None
    calls: tuple[Call, ...] = ()


def parse(reply: str | Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the statement is met, and the explanation; tolerant of fences, prose around JSON and bad commas.

    Raises:
        InvalidVerdict: The reply does not say, or says both.
    """
    value = reply if isinstance(reply, Mapping) else _object_in(reply)
    if value is not None:
        said = " ".join(str(value.get("verdict", "")).upper().replace("_", " ").split())
        if said not in _WORDS:
            raise InvalidVerdict("'verdict' must be MET or UNMET")
        return _WORDS[said], str(value.get("explanation") or "").strip()
    text = str(reply).strip()
    if alone := _ALONE.fullmatch(text):
        return _WORDS[alone[1].upper()], ""
    labelled = {_WORDS[word.upper().replace("_", " ")] for word in _LABELLED.findall(text)}
    if len(labelled) != 1:
        raise InvalidVerdict("no JSON object with 'explanation' and 'verdict'")
    return labelled.pop(), text


def _object_in(reply: str) -> dict[str, Any] | None:
    """The JSON object of a reply that tells a verdict, mended where need be; `None` where there is none."""
    begin, end = reply.find("{"), reply.rfind("}") + 1
    if begin < 0:
        return None
    try:
        value = json.loads(reply[begin:end])
    except json.JSONDecodeError:
        value = json_repair.loads(reply[begin:])
    return value if isinstance(value, dict) and "verdict" in value else None
