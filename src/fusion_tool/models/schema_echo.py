"""A JSON schema that a model hands back in place of an instance: the values that it put inside, or none."""

from collections.abc import Mapping
from typing import Any

_TYPES = frozenset({"array", "object", "string", "integer", "number", "boolean", "null"})
_VALUES = ("value", "values", "default", "const", "example", "examples", "items")
"""Where a small model puts its values, the likeliest first; `items` only where it holds a list."""
_WORDS = frozenset(
    {*_VALUES, "type", "properties", "required", "additionalProperties", "enum", "minItems", "maxItems", "title"}
    | {"description", "pattern", "minLength", "maxLength", "uniqueItems", "$schema"}
)
_DEEPEST = 12


class _Nothing:
    """The value of a schema in which nothing is filled in."""


NOTHING = _Nothing()


def is_schema(value: Any) -> bool:
    """Tell whether a value that was JSON is a schema, filled in or not, rather than an instance."""
    if not isinstance(value, Mapping) or not value.keys() <= _WORDS:
        return False
    # A row of a model's own may have a field called "type": a schema's names one of JSON's types, or holds its fields.
    return value.get("type") in _TYPES if isinstance(value.get("type"), str) else bool(value.keys() & _HOLDERS)


_HOLDERS = {"properties", "items"}


def fill_in(value: Any, depth: int = 0) -> Any:
    """Return a value with each schema in it replaced by what was put inside; `NOTHING` where that is nothing.

    Args:
        value: A value that was JSON.
        depth: How deep in the reply it stands; beyond twelve it stays as it is.
    """
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        rows = [fill_in(row, depth + 1) for row in value]
        return [row for row in rows if row is not NOTHING] if any(row is not NOTHING for row in rows) else _empty(value)
    if not isinstance(value, Mapping):
        return value
    if is_schema(value):
        return _content(value, depth)
    fields = {name: fill_in(field, depth + 1) for name, field in value.items()}
    filled = {name: field for name, field in fields.items() if field is not NOTHING}
    return filled if filled or not value else NOTHING


def _empty(rows: list[Any]) -> Any:
    return NOTHING if rows else []


def _content(schema: Mapping[str, Any], depth: int) -> Any:
    for name in _VALUES:
        if name in schema and not (name == "items" and not isinstance(schema[name], list)):
            return fill_in(schema[name], depth + 1)
    if isinstance(schema.get("properties"), Mapping):
        return fill_in(schema["properties"], depth + 1)
    if isinstance(schema.get("items"), Mapping):
        row = fill_in(schema["items"], depth + 1)
        return NOTHING if row is NOTHING else [row]
    return NOTHING
