"""Every setting, from the configuration's own classes: type, default, and its text."""

import json
from typing import Any

from pydantic import BaseModel

from fusion_tool.cli.config_template import setting_text
from fusion_tool.config.schema import Documents, Fetch, FusionConfig, Limits, Panelist, Search
from tests.contracts.pages.markdown import table

TABLES: dict[str, type[BaseModel]] = {
    "settings": FusionConfig,
    "panelist": Panelist,
    "limits": Limits,
    "search": Search,
    "fetch": Fetch,
    "documents": Documents,
}
"""The page's parts, and the class that each shows; a part's name is its heading's anchor too."""

_WHOLE = FusionConfig.model_json_schema()
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
_WORDS = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true` or `false`"}


def settings_table(part: str) -> str:
    """One class's settings."""
    owner = TABLES[part]
    schema = _WHOLE if owner is FusionConfig else _WHOLE["$defs"][owner.__name__]
    rows = [
        (f"`{name}`", _type(each), _default(owner, name), setting_text(owner, name))
        for name, each in schema["properties"].items()
    ]
    return table(("setting", "type", "default", "meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rsplit("/", 1)[-1].lower()
            return f"[{name}](#{name})"
        case {"anyOf": list(kinds)}:
            return " or ".join(_type(kind) for kind in kinds if kind.get("type") != "null")
        case {"enum": list(values)}:
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"format": "path"}:
            return "path"
    bounds = [f"{words} {schema[bound]:g}" for bound, words in _BOUNDS.items() if bound in schema]
    return " ".join([_WORDS[schema["type"]], ", ".join(bounds)]).strip()


def _default(owner: type[BaseModel], name: str) -> str:
    field = owner.model_fields[name]
    if field.is_required():
        return "**required**"
    value = field.get_default()
    if value is None:
        return "none"
    return "as below" if isinstance(value, BaseModel) else f"`{json.dumps(value)}`"
