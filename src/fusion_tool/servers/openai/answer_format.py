"""The form in which a client wants the answer: a JSON object, of a schema where it sends one.

Protocol: `response_format` of OpenAI's chat completions, `text.format` of its responses.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_tool.api.chat_support import StructuredAnswer, required_keys
from fusion_tool.servers.openai.errors import ApiError

_LONGEST_SCHEMA = 50_000
"""Characters as JSON: the writer of the answer reads it, and so does each model that stands in for it."""
_DEEPEST_SCHEMA = 50


@dataclass(frozen=True)
class AnswerFormat:
    """A form of answers.

    Args:
        schema: The JSON schema of the answer; the one of any object where the client sent none.
        name: The client's name of it.
    """

    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object"})
    name: str = "answer"

    def read(self, text: str) -> str:
        """Return the JSON in an answer, as a client can read it.

        Raises:
            ValueError: The answer is no object, is cut off, or lacks a required key.
        """
        value = StructuredAnswer(target=self.schema, required=required_keys(self.schema)).read(text)
        bare = json.dumps(value, ensure_ascii=False, allow_nan=False)
        # Only a fence is taken off, for the client's parser; else the object stays as it was written.
        return text if text.lstrip().startswith("{") and text.rstrip().endswith("}") else bare


def parse_format(value: Any, where: str, *, nested: bool) -> AnswerFormat | None:
    """Return the form that a client asks for; `None` for plain text.

    Args:
        value: `{"type": "text" | "json_object" | "json_schema", ...}`, or nothing.
        where: The field's place in the request.
        nested: Whether the schema and its name stand in a field of their own, `json_schema`, as in chat completions.

    Raises:
        ApiError: 400; it is none of these, or the schema is none that can be kept to.
    """
    match value:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return AnswerFormat()
        case {"type": "json_schema", "json_schema": dict(described)} if nested:
            return _of_schema(described, f"{where}.json_schema")
        case {"type": "json_schema"} if not nested:
            return _of_schema(value, where)
    raise ApiError(f"{where}: expected the type text, json_object or json_schema, with its schema", param=where)


def _of_schema(described: Mapping[str, Any], where: str) -> AnswerFormat:
    schema, name, place = described.get("schema"), described.get("name"), f"{where}.schema"
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise ApiError(f"{place}: expected the JSON schema of an object", param=place)
    if not isinstance(schema.get("required") or [], list):
        raise ApiError(f"{place}.required: expected a list of names", param=f"{place}.required")
    if _depth(schema) > _DEEPEST_SCHEMA:
        raise ApiError(f"{place}: it is nested deeper than {_DEEPEST_SCHEMA} levels", param=place)
    if (length := len(json.dumps(schema))) > _LONGEST_SCHEMA:
        raise ApiError(f"{place}: it has {length:,} characters, at most {_LONGEST_SCHEMA:,} are taken", param=place)
    if not isinstance(name, str) or not name:
        raise ApiError(f"{where}.name: expected a name", param=f"{where}.name")
    return AnswerFormat(schema, name)


def _depth(value: Any) -> int:
    """Return how deep a value of JSON is nested, counted up to just above the bound."""
    level, depth = [value], 0
    while level and depth <= _DEEPEST_SCHEMA:
        children = [
            node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list)
        ]
        level, depth = [child for group in children for child in group], depth + 1
    return depth
