"""What it means that a run is inside what the operator allows: one rule for every server, kept by `apply_overrides`.

Models with their addresses, tools, seats and filters are compared setting by setting; a setting that is not named here
may not change at all. Money is not refused but bounded: where the operator set no limit, a caller's run gets what the
operator's own could cost at worst, and the ledger keeps it.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.choices import AUTO
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.graph.estimate import forecast_run
from fusion_tool.graph.inputs import LONGEST_QUESTION

_Rule: TypeAlias = Callable[[Any, Any], bool]
"""Whether a value is inside the operator's."""


def _at_most(value: Any, ceiling: Any) -> bool:
    return ceiling is None or (value is not None and value <= ceiling)


def _same_or(closed: Any) -> _Rule:
    return lambda value, own: value in (own, closed)


# The first five say how the seats are used, and how it is shown: who is asked is bounded as models, what it costs as
# money.
_RULES: Mapping[str, _Rule] = {
    "strategy": lambda *_: True,
    "follow_up": lambda *_: True,
    "list_sources": lambda *_: True,
    "limits.quorum": lambda *_: True,
    "limits.min_answers": lambda *_: True,
    **{f"limits.{name}": _at_most for name in ("usd", "tokens", "seconds", "seat_seconds", "grace_seconds")},
    "max_tool_calls": _at_most,
    "quality": _at_most,
    "candidates": _same_or("configured"),
    "search": _same_or(None),
    "documents": _same_or(None),
    "bash": _same_or("off"),
    "excluded_domains": lambda value, own: set(value) >= set(own),
}
_ROLES = ("panel", "judge", "synthesizer", "verify")


def require_inside(config: FusionConfig, operator: FusionConfig, *presets: FusionConfig) -> None:
    """Refuse a configuration that is not inside the operator's.

    Args:
        config: What a caller's wishes came to.
        operator: The operator's configuration.
        presets: Those of the presets that the operator allows which the caller asked for, with the operator's rules;
            their models and seats are the operator's, too.

    Raises:
        ConfigError: A setting is wider; `field` names it.
    """
    for field, value, own in _settings(config, operator):
        if field in _RULES and not _RULES[field](value, own):
            is_number = _RULES[field] is _at_most and value is not None
            raise ConfigError(f"at most {own:g} is allowed here" if is_number else _WIDER, field=field)
        if field not in _RULES and value != own:
            raise ConfigError(_WIDER, field=field)
    most = max(len(one.panel) for one in (operator, *presets))
    if len(config.panel) > most:
        raise ConfigError(f"at most {most} seats are allowed here", field="panel")
    offered = [panelist for one in (operator, *presets) for panelist in one.roles]
    for panelist in config.roles:
        if not any(_is_inside(panelist, own) for own in offered):
            raise ConfigError(f"'{panelist.model_name}' is not set up so here", field="panel")


_WIDER = "only the operator of this server may set it so"


def _settings(config: FusionConfig, operator: FusionConfig) -> list[tuple[str, Any, Any]]:
    names = [name for name in FusionConfig.model_fields if name not in (*_ROLES, "limits")]
    pairs = [(name, getattr(config, name), getattr(operator, name)) for name in names]
    # Without a limit in dollars it says nothing, and `bound_spending` may set one.
    if operator.limits.usd is None:
        pairs = [pair for pair in pairs if pair[0] != "allow_unpriced"]
    own_limits = dict(operator.limits)
    if config.limits.seconds is not None:  # where the operator set none, a caller may not have more than the default
        own_limits["seconds"] = operator.limits.seconds or RUN_SECONDS
    return pairs + [(f"limits.{name}", value, own_limits[name]) for name, value in config.limits]


def _is_inside(panelist: Panelist, own: Panelist) -> bool:
    """Return whether it is the same model at the same address, its settings the same, no answer of it longer."""
    free = ("seat", "fallbacks", "max_tokens")
    same = all(getattr(panelist, name) == getattr(own, name) for name in Panelist.model_fields if name not in free)
    return same and set(panelist.fallbacks) <= set(own.fallbacks) and _at_most(panelist.max_tokens, own.max_tokens)


def bound_spending(config: FusionConfig, operator: FusionConfig, *presets: FusionConfig) -> FusionConfig:
    """Return `config` with the limits that keep its bill inside what the operator's own runs could come to.

    A limit of the operator's is the bound; where there is none it is the worst case of the operator's configuration,
    set as a limit where the caller's could pass it. Models without a price are bounded by their tokens.

    Args:
        config: What a caller's wishes came to.
        operator: The operator's configuration.
        presets: As for `require_inside`.
    """
    kinds = [kind for kind in ("usd", "tokens") if getattr(operator.limits, kind) is None]
    if not kinds or config == operator:
        return config
    allowed = [_worst(one) for one in (operator, *presets)]
    worst = _worst(config)
    # The router may ask more of the operator's models than his panel does: what it will choose is not known yet.
    is_open = config.strategy == AUTO
    bounds = {
        kind: most
        for kind in kinds
        if (most := max(one[kind] for one in allowed)) and (is_open or worst[kind] > most)
        # Dollars bound the priced; only those without a price are bounded by tokens.
        if kind == "usd" or worst["unpriced"]
    }
    tighter = {kind: most for kind, most in bounds.items() if not _is_tighter(getattr(config.limits, kind), most)}
    if not tighter:
        return config
    update: dict[str, Any] = {"limits": config.limits.model_copy(update=tighter)}
    # Set here, not by the operator: it must not keep out the models without a price that he configured.
    return config.model_copy(update=update | ({"allow_unpriced": True} if "usd" in tighter else {}))


def _is_tighter(limit: float | None, most: float) -> bool:
    return limit is not None and limit <= most


def _worst(config: FusionConfig) -> dict[str, Any]:
    """Return the dollars, the tokens and the unpriced models of the longest question's run, at worst."""
    bill = forecast_run(config, "x" * LONGEST_QUESTION)
    tokens = bill.worst.input_tokens + bill.worst.output_tokens
    return {"usd": bill.worst.usd or 0.0, "tokens": tokens, "unpriced": bill.unpriced}
