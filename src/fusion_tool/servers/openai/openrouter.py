"""The request that OpenRouter's hosted Fusion takes, under this server's names.

Sources, as of November 2026: https://openrouter.ai/docs/guides/routing/routers/fusion-router (models and fields),
https://openrouter.ai/docs/guides/features/plugins/fusion, https://openrouter.ai/docs/guides/features/server-tools/fusion.
A field that has a counterpart here is applied, any other is refused by its name: none is passed over.
"""

from collections.abc import Mapping
from typing import Any

from fusion_tool.config.choices import SOLO
from fusion_tool.errors import ConfigError

MODELS: Mapping[str, str | None] = {"openrouter/fusion": None, "openrouter/fusion-flash": "fast"}
"""Its models, each with the preset that it stands for; `None` for the configured panel."""
VARIANTS: Mapping[str, str] = {"free": "free"}
"""What may stand behind a model's colon, with the preset of it."""
TOOL = "openrouter:fusion"
"""The type of its server tool."""
_PRESETS = {"general-high": "quality", "general-budget": "budget", "general-fast": "fast"}
_SEATS_TOOLS = {"openrouter:web_search", "openrouter:web_fetch"}
_RENAMED = {"analysis_models": "models", "max_tool_calls": "max_tool_calls", "max_completion_tokens": "max_tokens"}
_NOT_HERE = {
    "temperature": "each seat has the operator's; leave it out",
    "reasoning": "each seat has the operator's; leave it out",
}


def preset_of_alias(model: str) -> str | None:
    """Return the preset that a model of OpenRouter's stands for; `None` for the configured panel.

    Args:
        model: Such as `openrouter/fusion` or `openrouter/fusion-flash:free`.

    Raises:
        KeyError: It is none of them.
    """
    name, _, variant = model.partition(":")
    own = MODELS[name]
    return VARIANTS[variant] if variant else own


def parse_fusion_plugin(plugins: Any) -> dict[str, Any]:
    """Return the settings of the plugin `fusion` under the names of `RunOverrides`.

    Args:
        plugins: `[{"id": "fusion", "analysis_models": [...], "model": ..., "max_tool_calls": ...}]`, once at most; its
            `model` both compares and writes.

    Raises:
        ConfigError: Another plugin, one more, or a field that has no counterpart here; `field` names it.
    """
    overrides: dict[str, Any] = {}
    if not isinstance(plugins, list) or not all(isinstance(plugin, dict) for plugin in plugins):
        raise ConfigError("expected a list of objects", field="plugins")
    for index, plugin in enumerate(plugins):
        if plugin.get("id") != "fusion":
            raise ConfigError("only the plugin 'fusion' is known here", field=f"plugins.{index}.id")
        if index:
            raise ConfigError("expected the plugin 'fusion' once", field=f"plugins.{index}")
        fields = {name: value for name, value in plugin.items() if name != "id"}
        overrides |= _parse_fields(fields, f"plugins.{index}", writes=True)
    return overrides


def take_fusion_tool(tools: Any) -> tuple[Any, dict[str, Any]]:
    """Return a request's other tools, and the settings of the server tool under the names of `RunOverrides`.

    Args:
        tools: The request's; `{"type": "openrouter:fusion", "parameters": {...}}` among them, once at most. Its
            `model` compares, and does not write.

    Raises:
        ConfigError: Another of OpenRouter's tools, or a field that has no counterpart here; `field` names it.
    """
    if not isinstance(tools, list):
        return tools, {}
    others, overrides, has_tool = [], dict[str, Any](), False
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not (isinstance(kind, str) and kind.startswith("openrouter:")):
            others.append(tool)
            continue
        where = f"tools.{index}"
        if kind != TOOL:
            raise ConfigError(f"'{kind}' is not served here; the panel has tools of its own", field=f"{where}.type")
        parameters = tool.get("parameters") or {}
        if has_tool or not isinstance(parameters, dict) or tool.keys() - {"type", "parameters"}:
            raise ConfigError(f"expected '{TOOL}' once, with 'parameters' and nothing else", field=where)
        overrides, has_tool = _parse_fields(parameters, f"{where}.parameters", writes=False), True
    return others, overrides


def _parse_fields(fields: Mapping[str, Any], where: str, *, writes: bool) -> dict[str, Any]:
    """Return the fields under our names; `writes` says whether `model` names the writer, too."""
    overrides: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case _ if value is None:
                continue
            case "model":
                overrides |= {"judge": value} | ({"synthesizer": value} if writes else {})
            case "preset":
                overrides["preset"] = _PRESETS.get(value, value) if isinstance(value, str) else value
            case "tools":
                overrides["tools"] = _parse_seats_tools(value, f"{where}.tools")
            case "enabled" if isinstance(value, bool):
                # Switched off, one model answers: here the first seat, alone.
                overrides |= {} if value else {"strategy": SOLO}
            case _ if name in _RENAMED:
                overrides[_RENAMED[name]] = value
            case _:
                cure = _NOT_HERE.get(name, "is not understood here; leave it out")
                raise ConfigError(cure, field=f"{where}.{name}")
    return overrides


def _parse_seats_tools(tools: Any, where: str) -> bool:
    """Return whether the seats have tools: all that the operator gave them, or none."""
    rows = tools if isinstance(tools, list) else [None]
    types = [row.get("type") for row in rows if isinstance(row, dict) and not (row.get("parameters") or {})]
    if len(types) != len(rows) or not all(map(_is_text, types)) or set(types) not in (set(), _SEATS_TOOLS):
        names = " and ".join(sorted(_SEATS_TOOLS))
        raise ConfigError(f"name {names}, without parameters, for the operator's tools, or [] for none", field=where)
    return bool(types)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
