"""The commented `fusion.toml`, generated from the configuration's classes, so that it always names every setting.

Prose begins with `# `, a setting with `#` alone: taking away the latter sets it.
"""

import json
import textwrap
from typing import Any

from pydantic import BaseModel

from fusion_tool.config.loading import DEFAULT_PRESET
from fusion_tool.config.presets import preset, preset_description, preset_names
from fusion_tool.config.schema import FusionConfig, Panelist

_HEAD = """\
# fusion-tool's configuration. A flag of the command line overrides this file, and this file overrides the preset.
# Keys never stand here: they are environment variables, such as OPENROUTER_API_KEY.
# A line that begins with '#' and no space is a setting: take the '#' away, and that of the [table]
# above it. It shows the default or, where there is none, an example.

# The preset that everything below overrides:
{presets}
preset = "{default}"
"""
_EXAMPLES: dict[str, Any] = {
    "documents": "notes",
    "usd": 0.5,
    "tokens": 200000,
    "cache_seconds": 3600,
    "seat_seconds": 90.0,
    "quorum": 2,
    "seat": "first",
    "temperature": 0.7,
    "seed": 7,
    "reasoning": "medium",
    "max_tokens": 4000,
    "max_input_tokens": 128000,
    "base_url": "http://localhost:8000/v1",
    "api_key_env": "MY_SERVER_KEY",
}
"""Values of settings without a default."""

_FALLBACK_EXAMPLE = 1
"""Value of a setting without a default and an example: a new setting must not make `init` fail."""

_OFF = {"search": "That line takes the place of this table."}
_WIDTH = 118


def template() -> str:
    """Return the file's text; it loads as it is, and with every setting taken in."""
    presets = "\n".join(f"#   {name:9} {preset_description(name)}" for name in preset_names())
    head = _HEAD.format(presets=presets, default=DEFAULT_PRESET)
    defaults = {name: field.get_default() for name, field in FusionConfig.model_fields.items()}
    # After the plain settings: in TOML whatever follows a table's head belongs to the table.
    tables = {name: value for name, value in defaults.items() if isinstance(value, BaseModel)}
    plain_names = [name for name in defaults if name not in tables and name != "panel"]
    blocks = [_setting(FusionConfig, name, _to_toml(name, defaults[name])) for name in plain_names]
    blocks += [_table(name, value) for name, value in tables.items()]
    return "\n".join([head, *blocks, _panel()])


def _setting(owner: type[BaseModel], name: str, value: str) -> str:
    return f"{_prose(setting_text(owner, name))}#{name} = {value}\n"


def _table(name: str, value: BaseModel) -> str:
    about = f"{setting_text(FusionConfig, name)} {_OFF.get(name, '')}"
    rows = [_setting(type(value), field, _to_toml(field, getattr(value, field))) for field in type(value).model_fields]
    return f"{_prose(about)}#[{name}]\n{''.join(rows)}"


def _panel() -> str:
    first, *others = preset(DEFAULT_PRESET).panel
    settings = [_setting(Panelist, name, _to_toml(name, getattr(first, name))) for name in Panelist.model_fields]
    rows = [f"#[[panel]]\n#model = {json.dumps(seat.model_name)}\n" for seat in others]
    about = f"{setting_text(FusionConfig, 'panel')} It replaces a preset's, judge and writer too. One [[panel]] a seat:"
    return "\n".join([f"{_prose(about)}#[[panel]]\n{''.join(settings)}", *rows])


def _to_toml(name: str, value: Any) -> str:
    """Return a value in TOML; the default preset's where a role has no default."""
    if value is None and name in ("judge", "synthesizer"):
        role: Panelist = getattr(preset(DEFAULT_PRESET), name)
        return f"{{ model = {json.dumps(role.model_name)} }}"
    # JSON's strings, numbers, booleans and flat lists are TOML's as well.
    return json.dumps(_EXAMPLES.get(name, _FALLBACK_EXAMPLE) if value is None else value)


def setting_text(owner: type[BaseModel], name: str) -> str:
    """Return what a setting means, on one line; empty where Python's sources are not installed."""
    return " ".join((owner.model_fields[name].description or "").split())


def _prose(text: str) -> str:
    # Backticks are markup for pages; in a file for people a quotation mark says the same.
    plain = text.replace("`", "'").strip()
    return "".join(f"{row}\n" for row in textwrap.wrap(plain, _WIDTH, initial_indent="# ", subsequent_indent="# "))
