"""The changes that a hosted caller may make to the operator's configuration: among its models, and to lower limits.

`RunOverrides` holds what a caller may ask for, on every server; `apply_overrides` checks it against the operator's
configuration. Whatever reaches keys, files, addresses or the shell is the operator's alone.
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fusion_tool.config.base import ConfigModel, reject_unknown
from fusion_tool.config.choices import Strategy
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import Fetch, FusionConfig, Limits, Panelist, Search
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError
from fusion_tool.servers.narrowing import bound_spending, require_inside


# Both checks come before pydantic's own, which would name a class of Python's or an item of the list.
def _check_strings(value: Any) -> Any:
    if value is not None and not (isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)):
        raise ConfigError("expected a list of strings")
    return value


def _check_object(value: Any) -> Any:
    if value is not None and not isinstance(value, LimitOverrides | Mapping):
        raise ConfigError("expected an object such as {'seconds': 60}")
    return value


def _meaning(owner: type[ConfigModel], name: str) -> Any:
    """Return a field that may be left out, with the text of the setting that it overrides."""
    return Field(default=None, description=owner.model_fields[name].description)


class LimitOverrides(ConfigModel):
    """Limits up to the operator's; one that is left out is the operator's."""

    usd: float | None = _meaning(Limits, "usd")
    tokens: int | None = _meaning(Limits, "tokens")
    seconds: float | None = _meaning(Limits, "seconds")
    seat_seconds: float | None = _meaning(Limits, "seat_seconds")
    quorum: int | None = _meaning(Limits, "quorum")
    grace_seconds: float | None = _meaning(Limits, "grace_seconds")
    min_answers: int | None = _meaning(Limits, "min_answers")


class RunOverrides(ConfigModel):
    """The settings of a run that a client may choose; one that is left out is as the operator set it up."""

    # No bounds here: the configuration that is made of it has them.
    preset: str | None = None
    """The models of a preset instead of the configured ones."""
    models: Annotated[list[str] | None, BeforeValidator(_check_strings)] = None
    """The panel: which of the configured models, by name; the same may sit twice."""
    judge: str | None = None
    """Which of them compares the answers."""
    synthesizer: str | None = None
    """Which of them writes the answer."""
    strategy: Strategy | None = _meaning(FusionConfig, "strategy")
    limits: Annotated[LimitOverrides | None, BeforeValidator(_check_object)] = None
    quality: float | None = _meaning(FusionConfig, "quality")
    excluded_domains: Annotated[list[str] | None, BeforeValidator(_check_strings)] = None
    """Further sites that may not be touched."""
    follow_up: bool | None = _meaning(FusionConfig, "follow_up")
    max_tool_calls: int | None = _meaning(FusionConfig, "max_tool_calls")
    list_sources: bool | None = _meaning(FusionConfig, "list_sources")
    max_tokens: int | None = None
    """Upper bound of every answer of a seat and of the judge, in tokens."""
    tools: bool | None = None
    """`false` leaves the seats without any tool: no web, no documents, no shell."""


OVERRIDABLE = tuple(RunOverrides.model_fields)
"""What a caller may set."""

# By subtraction, so that a new setting is the operator's until it is offered above. `model` is left out because it is
# an argument of every request, too.
OPERATOR_ONLY: frozenset[str] = frozenset(
    {*FusionConfig.model_fields, *Panelist.model_fields, *Search.model_fields, *Fetch.model_fields}
    - {*OVERRIDABLE, "model"}
)
"""Settings that exist and are the operator's alone."""

_CEILINGS = ("usd", "tokens", "seconds", "seat_seconds", "grace_seconds")


def parse_overrides(values: Any) -> RunOverrides:
    """Read what a caller asks for.

    Args:
        values: An object with keys out of `OVERRIDABLE`; a value of `None` asks for nothing.

    Raises:
        ConfigError: A setting is unknown, the operator's alone, or of a wrong type; `field` names it.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"expected an object with {', '.join(OVERRIDABLE)}", field="fusion")
    reject_unoffered(values, OVERRIDABLE)
    return RunOverrides(**values)


def reject_unoffered(names: Collection[Any], offered: Collection[str]) -> None:
    """Refuse a setting that a caller may not choose.

    Args:
        names: What the caller sets.
        offered: What a caller may set.

    Raises:
        ConfigError: A setting is the operator's alone, or there is none of the name; `field` names it.
    """
    # Told apart, since a caller can mend a typo, but not a missing permission.
    for name in map(str, names):
        if name in OPERATOR_ONLY and name not in offered:
            raise ConfigError("only the operator of this server may set it", field=name)
    try:
        reject_unknown(names, offered)
    except ConfigError as error:
        raise ConfigError(f"{error.message}; a caller may set {', '.join(offered)}", field=error.field) from None


def apply_overrides(
    operator: FusionConfig, overrides: RunOverrides, *, presets: Mapping[str, FusionConfig] = MappingProxyType({})
) -> FusionConfig:
    """Return the configuration of a run that a hosted caller asked for.

    Args:
        operator: The operator's configuration; its tools, filters and rules hold whatever a caller asks for.
        overrides: What the caller asks for. Models are named as `provider:model`, by the name at their provider, by
            their short name or by their seat's label.
        presets: The presets that the operator allows. Of a preset only the models and the strategy are taken, and
            of both limits the tighter one.

    Raises:
        ConfigError: A value is out of range, not offered here, or above what the operator allows; `field` names it.
    """
    base = operator if overrides.preset is None else _with_preset(operator, overrides.preset, presets)
    others = () if base is operator else (base,)
    changes = overrides.model_dump(
        include={"strategy", "quality", "follow_up", "max_tool_calls", "list_sources"}, exclude_none=True
    ) | _roles(overrides, base, operator)
    if overrides.tools is False:
        changes |= {"search": None, "documents": None, "bash": "off"}
    elif overrides.tools and not base.has_tools:
        raise ConfigError("the seats have no tools here; leave it out", field="tools")
    if overrides.excluded_domains is not None:
        changes["excluded_domains"] = (*base.excluded_domains, *overrides.excluded_domains)
    changes["limits"] = _limits(base, overrides.limits, len(changes.get("panel", base.panel)))
    config = resolve_config(base, **changes)
    if overrides.max_tokens is not None:
        config = _with_answers_of(config, overrides.max_tokens)
    asks_as_operator = base is operator and config.strategy == operator.strategy and overrides.models is None
    if not asks_as_operator:
        # Else seats, judge or writer would be chosen among all models that the operator's keys can pay for.
        config = config.model_copy(update={"candidates": "configured"})
    # Of the finished configuration: whichever way a setting came into it, it is compared.
    require_inside(config, operator, *others)
    return bound_spending(config, operator, *others)


def _with_preset(operator: FusionConfig, name: str, presets: Mapping[str, FusionConfig]) -> FusionConfig:
    """Return the operator's configuration with a preset's models; nothing in it is wider than the operator's."""
    if name not in presets:
        offered = f"there are {', '.join(presets)}" if presets else "none is offered"
        raise ConfigError(f"'{name}' is not offered here{did_you_mean(name, presets)}; {offered}", field="preset")
    other = presets[name]
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


def _roles(overrides: RunOverrides, base: FusionConfig, operator: FusionConfig) -> dict[str, Any]:
    offered = [panelist for config in (base, operator) for panelist in _panelists(config)]
    names = {"judge": overrides.judge, "synthesizer": overrides.synthesizer}
    # The role's own first: the model may sit on the panel with other settings.
    own = {"judge": base.judge_or_default, "synthesizer": base.synthesizer_or_default}
    roles: dict[str, Any] = {
        role: _pick(name, [own[role], *offered], role) for role, name in names.items() if name is not None
    }
    if overrides.models is not None:
        most = max(len(base.panel), len(operator.panel))
        if not 1 <= len(overrides.models) <= most:
            raise ConfigError(f"name 1 to {most} models", field="models")
        panel = [_pick(name, offered, f"models.{index}") for index, name in enumerate(overrides.models)]
        roles["panel"] = tuple(panel)
    return roles


def _panelists(config: FusionConfig) -> tuple[Panelist, ...]:
    return (*config.panel, config.judge_or_default, config.synthesizer_or_default)


def _pick(name: str, offered: Sequence[Panelist], field: str) -> Panelist:
    """Return the operator's panelist of that name, with the operator's settings for it."""
    # The exact name first: two providers may serve models of one short name.
    for attribute in ("model_name", "served_name", "short_name", "seat"):
        for panelist in offered:
            if name == getattr(panelist, attribute):
                # Without its label, of which there may be one only: a caller can seat a model twice.
                return panelist.model_copy(update={"seat": None})
    names = dict.fromkeys(panelist.model_name for panelist in offered)
    short = {attribute for panelist in offered for attribute in (panelist.served_name, panelist.short_name)}
    hint = did_you_mean(name, {*names, *short})
    raise ConfigError(f"'{name}' is not offered here{hint}; there are {', '.join(names)}", field=field)


def _limits(base: FusionConfig, overrides: LimitOverrides | None, seats: int) -> dict[str, Any]:
    # A smaller panel cannot need more answers than it has seats, unless the caller says so: that is an error.
    limits = base.limits
    fitting = {
        "quorum": limits.quorum and min(limits.quorum, seats),
        "min_answers": min(limits.min_answers, seats),
    }
    return fitting | (overrides.model_dump(exclude_none=True) if overrides else {})


def _with_answers_of(config: FusionConfig, max_tokens: int) -> FusionConfig:
    """Return `config`, no answer of whose seats and judge has more tokens."""

    def shorten(panelist: Panelist) -> Panelist:
        most = max_tokens if panelist.max_tokens is None else min(max_tokens, panelist.max_tokens)
        return Panelist(**(dict(panelist) | {"max_tokens": most}))  # made anew, so that it is checked

    # The writer stays as he is: he would else be the judge where none is configured.
    writer, judge = config.synthesizer_or_default, config.judge_or_default
    panel = tuple(map(shorten, config.panel))
    return config.model_copy(update={"panel": panel, "judge": shorten(judge), "synthesizer": writer})


def _tighter(first: float | None, other: float | None) -> float | None:
    return min((value for value in (first, other) if value is not None), default=None)
