"""A run's configuration as it is stored beside the run: JSON without secrets, and back."""

from collections.abc import Iterator
from typing import Any

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError

_OBJECT = "<"
"""How the stored name of a model begins that was given as an object: no model's name does."""
_CLOSED = {"privacy": "local", "search": None, "trace_content": False}
"""What `route` may close; it opens nothing."""


def dump_config(config: FusionConfig) -> dict[str, Any]:
    """`config` as JSON.

    Of a model that was given as an object only the name is kept: its fields may hold keys and headers.
    """
    named = {"panel": tuple(map(_by_name, config.panel))} | {
        role: _by_name(given) for role in ("judge", "synthesizer") if (given := getattr(config, role)) is not None
    }
    return config.model_copy(update=named).model_dump(mode="json")


def load_stored_config(stored: dict[str, Any]) -> FusionConfig:
    """The configuration that `stored` made `stored` of.

    Raises:
        ConfigError: A model was given as an object, or this version of the package knows the configuration no more.
    """
    roles = [(f"panel.{i}", seat) for i, seat in enumerate(stored["panel"])]
    for field, role in (*roles, ("judge", stored["judge"]), ("synthesizer", stored["synthesizer"])):
        if role and role["model"].startswith(_OBJECT):
            raise ConfigError(
                f"the run got {role['model']} as an object, which cannot be stored; give its configuration again",
                field=f"{field}.model",
            )
    return FusionConfig(**stored)


def apply_decision(config: FusionConfig, decision: dict[str, Any]) -> FusionConfig:
    """`config` with what `route` decided about it: who works, how, and what stays closed.

    Everything else, and where a model is and with which key, stands in `config` alone: a checkpoint may be edited.

    Args:
        config: The run's configuration.
        decision: What `stored` made of the decided one.

    Raises:
        ConfigError: A model of `decision` is at an address, or has a key, that is not one of `config`.
    """
    objects = {_by_name(panelist).model: panelist.model for panelist in _roles(config)}
    places = {(panelist.base_url, panelist.api_key_env) for panelist in _roles(config)} | {(None, None)}

    def real(field: str, role: dict[str, Any] | None) -> dict[str, Any] | None:
        if role and (role.get("base_url"), role.get("api_key_env")) not in places:
            raise ConfigError(f"'{role['model']}' is at an address that is not configured", field=field)
        return role and role | {"model": objects.get(role["model"], role["model"])}

    roles = {role: real(role, decision[role]) for role in ("judge", "synthesizer")}
    panel = [real(f"panel.{index}", seat) for index, seat in enumerate(decision["panel"])]
    limits = dict(config.limits) | {name: decision["limits"][name] for name in ("quorum", "min_answers")}
    decided = roles | {"panel": panel, "strategy": decision["strategy"], "limits": limits}
    closed = {name: value for name, value in _CLOSED.items() if decision[name] == value}
    return FusionConfig(**(dict(config) | decided | closed))


def require_same_config(config: FusionConfig, stored: dict[str, Any]) -> None:
    """Refuse a configuration that is not the stored one.

    Raises:
        ConfigError: It differs; names the first field that does.
    """
    # A setting that an earlier version did not know stood, in effect, at its default.
    whole = FusionConfig(panel=config.panel).model_dump(mode="json", exclude={"panel"}) | stored
    for field, before, now in _differences(whole, dump_config(config)):
        raise ConfigError(f"the run was started with {before!r}, not {now!r}; leave it out, or ask anew", field=field)


def _roles(config: FusionConfig) -> list[Panelist]:
    return [*config.panel, *(role for role in (config.judge, config.synthesizer) if role)]


def _by_name(panelist: Panelist) -> Panelist:
    if isinstance(panelist.model, str):
        return panelist
    return panelist.model_copy(update={"model": f"{_OBJECT}{type(panelist.model).__name__} {panelist.model_name}>"})


def _differences(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = dict(enumerate(before)), dict(enumerate(now))
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif before != now:
        yield path, before, now
