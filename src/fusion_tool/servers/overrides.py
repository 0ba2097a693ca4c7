"""What a hosted caller may change of the operator's configuration: which of the operator's models, and lower limits.

Whatever reaches keys, files, addresses or the shell is the operator's alone, behind every face.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import preset as preset_by_name
from fusion_tool.config.schema import Fetch, FusionConfig, Panelist, Search
from fusion_tool.errors import ConfigError

OVERRIDABLE = (
    "preset",
    "models",
    "judge",
    "synthesizer",
    "strategy",
    "limits",
    "quality",
    "excluded_domains",
    "follow_up",
    "max_tool_calls",
)
"""What a caller may set."""

OPERATOR_ONLY: frozenset[str] = frozenset(
    {*FusionConfig.model_fields, *Panelist.model_fields, *Search.model_fields, *Fetch.model_fields}
    - {*OVERRIDABLE, "model"}
)
"""Settings that exist and are the operator's alone."""

_CEILINGS = ("usd", "tokens", "seconds", "seat_seconds", "grace_seconds")


def apply_overrides(
    operator: FusionConfig, overrides: Mapping[str, Any], *, presets: Collection[str] = ()
) -> FusionConfig:
    """The configuration of a run that a hosted caller asked for.

    Args:
        operator: The operator's own; its tools, filters and rules hold whatever is asked.
        overrides: The caller's wishes, keys out of `OVERRIDABLE`; `None` is none. Models are named as
            `provider:model`, by the name at their provider, by their short name or by their seat's label.
        presets: Shipped presets that the operator allows; of one only the models, the strategy and the tighter of both
            limits are taken.

    Raises:
        ConfigError: A setting is unknown, the operator's alone, of a wrong type, or above what the operator allows;
            `field` names it.
    """
    if not isinstance(overrides, Mapping):
        raise ConfigError(f"expected an object with {', '.join(OVERRIDABLE)}", field="fusion")
    for name in overrides:
        _reject_unsettable(str(name))
    given = {name: value for name, value in overrides.items() if value is not None}
    base = _with_preset(operator, given.pop("preset"), presets) if "preset" in given else operator
    changes = _roles(given, base, operator)
    changes |= {name: given[name] for name in ("strategy", "quality", "follow_up") if name in given}
    if "excluded_domains" in given:
        added = _strings(given["excluded_domains"], "excluded_domains")
        changes["excluded_domains"] = (*base.excluded_domains, *added)
    if "max_tool_calls" in given:
        changes["max_tool_calls"] = given["max_tool_calls"]
    changes["limits"] = _limits(base, given.get("limits", {}), len(changes.get("panel", base.panel)))
    config = resolve_config(base, **changes)
    _reject_above(config, operator)
    return _within(operator, config, given, is_operators=base is operator)


def parse_fusion_plugin(plugins: Any) -> dict[str, Any]:
    """OpenRouter's fusion plugin in the words of `apply_overrides`.

    Source: https://openrouter.ai/docs/guides/features/plugins/fusion.

    Args:
        plugins: `[{"id": "fusion", "analysis_models": [...], "model": ..., "max_tool_calls": ...}]`; `model` there both
            compares and writes.

    Raises:
        ConfigError: Another plugin, or a field that is not understood.
    """
    names = {"analysis_models": "models", "max_tool_calls": "max_tool_calls", "preset": "preset"}
    asked: dict[str, Any] = {}
    if not isinstance(plugins, list) or not all(isinstance(plugin, dict) for plugin in plugins):
        raise ConfigError("expected a list of objects", field="plugins")
    for index, plugin in enumerate(plugins):
        if plugin.get("id") != "fusion":
            raise ConfigError("only the plugin 'fusion' is known here", field=f"plugins.{index}.id")
        for name, value in plugin.items():
            if name == "model":
                asked |= {"judge": value, "synthesizer": value}
            elif name in names:
                asked[names[name]] = value
            elif name != "id" and not (name == "enabled" and value is True):
                raise ConfigError("is not understood here; leave it out", field=f"plugins.{index}.{name}")
    return asked


def _reject_unsettable(name: str) -> None:
    if name in OPERATOR_ONLY:
        raise ConfigError("only the operator of this server may set it", field=name)
    if name not in OVERRIDABLE:
        raise ConfigError(f"no such setting; a caller may set {', '.join(OVERRIDABLE)}", field=name)


def _with_preset(operator: FusionConfig, name: Any, presets: Collection[str]) -> FusionConfig:
    """The operator's configuration with a preset's models; nothing in it is wider than the operator's."""
    if name not in presets:
        offered = f"there are {', '.join(presets)}" if presets else "none is offered"
        raise ConfigError(f"'{name}' is not offered here; {offered}", field="preset")
    other = preset_by_name(str(name))
    ceilings = {limit: _tighter(getattr(operator.limits, limit), getattr(other.limits, limit)) for limit in _CEILINGS}
    return operator.model_copy(
        update={
            **{field: getattr(other, field) for field in ("panel", "judge", "synthesizer", "strategy")},
            "limits": other.limits.model_copy(update=ceilings),
            "search": operator.search if other.search else None,
            "bash": operator.bash if other.bash != "off" else "off",
            "max_tool_calls": min(operator.max_tool_calls, other.max_tool_calls),
        }
    )


def _within(
    operator: FusionConfig, config: FusionConfig, given: Mapping[str, Any], *, is_operators: bool
) -> FusionConfig:
    """`config` with a router that chooses among its models alone, unless it is the operator who routes, and freely."""
    if config.strategy != "auto" or (is_operators and operator.strategy == "auto" and "models" not in given):
        return config
    return config.model_copy(update={"candidates": "configured"})


def _roles(overrides: Mapping[str, Any], base: FusionConfig, operator: FusionConfig) -> dict[str, Any]:
    offered = [seat for config in (base, operator) for seat in _panelists(config)]
    roles: dict[str, Any] = {
        role: _pick(overrides[role], offered, role) for role in ("judge", "synthesizer") if role in overrides
    }
    if "models" in overrides:
        names = _strings(overrides["models"], "models")
        most = max(len(base.panel), len(operator.panel))
        if not 1 <= len(names) <= most:
            raise ConfigError(f"name 1 to {most} models", field="models")
        roles["panel"] = tuple(_pick(name, offered, f"models.{index}") for index, name in enumerate(names))
    return roles


def _panelists(config: FusionConfig) -> tuple[Panelist, ...]:
    return (*config.panel, config.judge_or_default, config.synthesizer_or_default)


def _pick(name: Any, offered: Sequence[Panelist], field: str) -> Panelist:
    """The operator's panelist of that name, with the operator's settings for it."""
    for known in ("model_name", "served_name", "short_name", "seat"):
        for panelist in offered:
            if isinstance(name, str) and name == getattr(panelist, known):
                return panelist.model_copy(update={"seat": None})
    there = ", ".join(dict.fromkeys(panelist.model_name for panelist in offered))
    raise ConfigError(f"'{name}' is not offered here; there are {there}", field=field)


def _limits(base: FusionConfig, overrides: Any, seats: int) -> dict[str, Any]:
    if not isinstance(overrides, Mapping):
        raise ConfigError("expected an object such as {'seconds': 60}", field="limits")
    limits = base.limits
    fitting = {
        "quorum": limits.quorum and min(limits.quorum, seats),
        "min_answers": min(limits.min_answers, seats),
    }
    return fitting | {str(name): value for name, value in overrides.items() if value is not None}


def _reject_above(config: FusionConfig, operator: FusionConfig) -> None:
    pairs = [("max_tool_calls", config.max_tool_calls, operator.max_tool_calls)]
    pairs += [(f"limits.{name}", getattr(config.limits, name), getattr(operator.limits, name)) for name in _CEILINGS]
    for field, value, ceiling in pairs:
        if ceiling is not None and value is not None and value > ceiling:
            raise ConfigError(f"at most {ceiling:g} is allowed here", field=field)


def _strings(value: Any, field: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigError("expected a list of strings", field=field)
    return list(value)


def _tighter(first: float | None, other: float | None) -> float | None:
    return min((value for value in (first, other) if value is not None), default=None)
