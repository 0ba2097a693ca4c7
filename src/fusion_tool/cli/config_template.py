"""The commented `fusion.toml`, generated from the configuration's own classes, so that it cannot drift.

Prose begins with `# `, a setting with `#` alone: taking away the latter sets it.
"""

import inspect
import json
import re
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
"""For settings without a default."""

_A_NUMBER = 1
"""For one that has no example of its own yet: `init` must not fail for that."""

_OFF = {"search": "Without the web tools: search = false, in place of this table."}
_ARGUMENT = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
_WIDTH = 118


def template() -> str:
    """The file's text; it loads as it is, and with every setting taken in."""
    presets = "\n".join(f"#   {name:9} {preset_description(name)}" for name in preset_names())
    head = _HEAD.format(presets=presets, default=DEFAULT_PRESET)
    defaults = {name: field.get_default() for name, field in FusionConfig.model_fields.items()}
    tables = {name: value for name, value in defaults.items() if isinstance(value, BaseModel)}
    plain = [name for name in defaults if name not in tables and name != "panel"]
    blocks = [_setting(FusionConfig, name, _to_toml(name, defaults[name])) for name in plain]
    blocks += [_table(name, value) for name, value in tables.items()]
    return "\n".join([head, *blocks, _panel()])


def _setting(owner: type[BaseModel], name: str, value: str) -> str:
    return f"{_prose(_setting_texts(owner).get(name, ''))}#{name} = {value}\n"


def _table(name: str, value: BaseModel) -> str:
    about = _setting_texts(FusionConfig).get(name, "") + " " + _OFF.get(name, "")
    if not _setting_texts(type(value)):  # its settings are told in its summary
        about = " ".join(str(inspect.getdoc(type(value))).split()) + " " + _OFF.get(name, "")
    rows = [_setting(type(value), field, _to_toml(field, getattr(value, field))) for field in type(value).model_fields]
    return f"{_prose(about)}#[{name}]\n{''.join(rows)}"


def _panel() -> str:
    first, *others = preset(DEFAULT_PRESET).panel
    settings = [_setting(Panelist, name, _to_toml(name, getattr(first, name))) for name in Panelist.model_fields]
    rows = [f"#[[panel]]\n#model = {json.dumps(seat.model_name)}\n" for seat in others]
    about = (
        f"{_setting_texts(FusionConfig)['panel']} It replaces a preset's, judge and writer too. One [[panel]] a seat:"
    )
    return "\n".join([f"{_prose(about)}#[[panel]]\n{''.join(settings)}", *rows])


def _to_toml(name: str, value: Any) -> str:
    """A value in TOML; the default preset's where a role has no default."""
    if value is None and name in ("judge", "synthesizer"):
        role: Panelist = getattr(preset(DEFAULT_PRESET), name)
        return f"{{ model = {json.dumps(role.model_name)} }}"
    return json.dumps(_EXAMPLES.get(name, _A_NUMBER) if value is None else value)


def _setting_texts(owner: type[BaseModel]) -> dict[str, str]:
    """What the class's docstring says of each setting."""
    return {name: " ".join(text.split()) for name, text in _ARGUMENT.findall(str(inspect.getdoc(owner)))}


def _prose(text: str) -> str:
    # A table's summary is Python's prose: double backticks are of no use in a file for people.
    plain = text.replace("`", "'").strip()
    return "".join(f"{row}\n" for row in textwrap.wrap(plain, _WIDTH, initial_indent="# ", subsequent_indent="# "))
