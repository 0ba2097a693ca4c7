"""The commented `fusion.toml`, generated from the configuration's classes, so that it always names every setting.

Prose begins with `# `, a setting with `#` alone: taking away the latter sets it.
"""

import json
import re
import textwrap
from typing import Any

from pydantic import BaseModel

from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.loading import DEFAULT_PRESET
from fusion_tool.config.presets import built_in_names, preset, preset_description
from fusion_tool.config.schema import FusionConfig

_HEAD = """\
# fusion-tool's configuration. A flag of the command line overrides this file, and this file overrides the preset.
# Keys never stand here: 'fusion-tool keys set OPENROUTER_API_KEY' stores one, or it is an environment variable.
# A line that begins with '#' and no space is a setting: take the '#' away. It shows the default or, where there is
# none, an example.

# The preset that everything below overrides:
{presets}
preset = "{default}"
"""
_PRESET = """\
# A preset of your own, wherever one is named: its settings over those of the preset that it extends.
#presets.mine.extends = "fast"
# What 'fusion-tool presets' says of it.
#presets.mine.about = "for small questions"
"""
_EXAMPLES: dict[str, Any] = {
    "documents": "notes",
    "database": "postgresql://user:password@localhost/fusion",
    "usd": 0.5,
    "seconds": RUN_SECONDS,
    "hedge": 0.1,
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
"""Values of all settings without a default: each is to serve whoever takes its '#' away."""

_NONE_IN_TOML = re.compile(r"`None` \(in TOML (`[^`]+`)\)")
"""TOML has no `None`: what stands for it is written in its place, or the setting is left out."""

_WIDTH = 118


def template() -> str:
    """Return the file's text; it loads as it is, with any one setting taken in, and with all of them."""
    presets = "\n".join(f"#   {name:9} {preset_description(name)}" for name in built_in_names())
    head = _HEAD.format(presets=presets, default=DEFAULT_PRESET)
    return "\n".join([head, *(_block(name) for name in FusionConfig.model_fields), _PRESET])


def _block(name: str) -> str:
    """Return a setting, or all those of a part, each with its whole name: a line is right without its neighbours."""
    default, about = FusionConfig.model_fields[name].get_default(), setting_text(FusionConfig, name)
    base = preset(DEFAULT_PRESET)
    match name:
        case "panel":
            about += " It replaces a preset's, judge and writer too. A seat may be set as the judge is, below:"
            first, second = (json.dumps(seat.model_name) for seat in base.panel[:2])
            return f'{_prose(about)}#panel = [{first}, {{ model = {second}, seat = "second" }}]\n'
        case "judge":
            return f"{_prose(about)}{_part(name, base.judge_or_default)}"
        case "synthesizer":
            default = base.synthesizer_or_default.model_name
    return f"{_prose(about)}" + (_part(name, default) if isinstance(default, BaseModel) else _setting(name, default))


def _part(name: str, part: BaseModel) -> str:
    owner = type(part)
    rows = (f"{_prose(setting_text(owner, field))}{_setting(f'{name}.{field}', value)}" for field, value in part)
    return "\n" + "".join(rows)


def _setting(name: str, value: Any) -> str:
    # JSON's strings, numbers, booleans and flat lists are TOML's as well.
    example = _EXAMPLES[name.rpartition(".")[2]] if value is None else value
    return f"#{name} = {json.dumps(example)}\n"


def setting_text(owner: type[BaseModel], name: str) -> str:
    """Return what a setting means, on one line; empty where Python's sources are not installed."""
    return " ".join((owner.model_fields[name].description or "").split())


def _prose(text: str) -> str:
    # Backticks are markup for pages; in a file for people a quotation mark says the same.
    plain = _NONE_IN_TOML.sub(r"\1", text).replace("`None`", "unset").replace("`", "'").strip()
    return "".join(f"{row}\n" for row in textwrap.wrap(plain, _WIDTH, initial_indent="# ", subsequent_indent="# "))
