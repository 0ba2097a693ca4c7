"""The form in which a run's configuration is stored beside the run: JSON without secrets, and back."""

from collections.abc import Iterator, Mapping
from typing import Any

from fusion_tool.config.choices import AUTO, MOST_ROUTED_SEATS
from fusion_tool.config.merging import ROLES
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError

_OBJECT = "<"
"""The first character of the stored name of a model that was an object: no model's name begins with it."""
_ROLES = ("judge", "synthesizer", "verify")
_SETTINGS = ("temperature", "seed", "max_tokens", "reasoning")
"""The settings of a role that a decision leaves as they are."""
_CLOSED = {"privacy": "local", "search": None, "trace_content": False}
"""The settings that `route` may close, with their closed values; it opens nothing."""


def dump_config(config: FusionConfig) -> dict[str, Any]:
    """Return `config` as JSON.

    Of a model that is an object only the name is stored: its fields may hold keys and headers.
    """
    roles = {"panel": tuple(map(_by_name, config.panel))} | {
        name: _by_name(panelist) for name in _ROLES if isinstance(panelist := getattr(config, name), Panelist)
    }
    return config.model_copy(update=roles).model_dump(mode="json")


def load_stored_config(stored: dict[str, Any]) -> FusionConfig:
    """Return the configuration of which `dump_config` made `stored`.

    Raises:
        ConfigError: A model was an object, or this version of the package does not know a setting in it.
    """
    roles = [(f"panel.{i}", seat) for i, seat in enumerate(stored["panel"])]
    # Runs of an older version have no second reader.
    for field, role in (*roles, *((name, stored.get(name)) for name in _ROLES)):
        if isinstance(role, dict) and role["model"].startswith(_OBJECT):
            raise ConfigError(
                f"the run got {role['model']} as an object, which cannot be stored; give its configuration again",
                field=f"{field}.model",
            )
    return FusionConfig(**stored)


def apply_decision(config: FusionConfig, decision: dict[str, Any]) -> FusionConfig:
    """Return `config` with what `route` decided about it: the models of each role, the strategy, and what is closed.

    Args:
        config: The run's configuration.
        decision: The configuration that was decided on, as `dump_config` stored it.

    Raises:
        ConfigError: `decision` is not one that can have been made of `config`: a model, an address, a key or a setting
            of a model is not one of its own, or there are more seats, or another strategy.
    """
    objects = {_by_name(panelist).model: panelist.model for panelist in _roles(config)}
    # A checkpoint can be edited: it must not ask for more than was configured, nor send a key of this machine to an
    # address of its own.
    endpoints = {(panelist.base_url, panelist.api_key_env) for panelist in _roles(config)} | {(None, None)}
    if decision["strategy"] != config.strategy != AUTO:
        raise ConfigError(f"'{decision['strategy']}' is not configured", field="strategy")
    if len(decision["panel"]) > max(len(config.panel), MOST_ROUTED_SEATS if config.strategy == AUTO else 0):
        raise ConfigError(f"{len(decision['panel'])} seats are more than are configured", field="panel")

    def restore(field: str, role: Any) -> Any:
        if not isinstance(role, dict):
            return role
        if (role.get("base_url"), role.get("api_key_env")) not in endpoints:
            raise ConfigError(f"'{role['model']}' is at an address that is not configured", field=field)
        _check_role(config, field, role)
        return role | {"model": objects.get(role["model"], role["model"])}

    # Whether there is a second reader is the configuration's to say; which model it is, may have been decided.
    named = {"verify": decision.get("verify", False)} if config.verify else {}
    roles = {role: restore(role, value) for role, value in {**_named_roles(decision), **named}.items()}
    panel = [restore(f"panel.{index}", seat) for index, seat in enumerate(decision["panel"])]
    # Of the limits only those that must fit the size of the panel; money and time stay as they are configured.
    limits = dict(config.limits) | {name: decision["limits"][name] for name in ("quorum", "min_answers")}
    changes = roles | {"panel": panel, "strategy": decision["strategy"], "limits": limits}
    # Only a closed value is taken over: an edited checkpoint can close more, and open nothing.
    closed = {name: value for name, value in _CLOSED.items() if decision[name] == value}
    return FusionConfig(**(dict(config) | changes | closed))


def _check_role(config: FusionConfig, field: str, role: Mapping[str, Any]) -> None:
    """Refuse a role that nothing makes of `config`: one of another model, or with settings of its own."""
    own = [_by_name(panelist) for panelist in _roles(config)]
    configured = {name for panelist in own for name in (panelist.model, *panelist.fallbacks)}
    # The router may choose whatever the keys open; OpenRouter's models may be asked at their vendors.
    is_routed = config.strategy == AUTO and config.candidates == "keyed"
    may_move = any(name.startswith("openrouter:") for name in configured)
    # Judge and writer, where nobody is named, are chosen among what the providers of the seats serve.
    is_cast = field in ROLES and config.judge is None and config.candidates == "keyed"
    providers = {_provider(seat.model) for seat in own if is_cast and seat.base_url is None}
    for name in (role["model"], *role.get("fallbacks", ())):
        is_moved = may_move and not name.startswith("openrouter:")
        if not (name in configured or is_routed or is_moved or _provider(name) in providers):
            raise ConfigError(f"'{name}' is not configured", field=field)
    # Of the roles that the model is in; one that came by its router's choice or move, of any, or without settings.
    named = [panelist for panelist in own if role["model"] in (panelist.model, *panelist.fallbacks)]
    settings = [{name: getattr(panelist, name) for name in _SETTINGS} for panelist in named or own]
    settings += [] if named else [dict.fromkeys(_SETTINGS)]
    decided = {name: role.get(name) for name in _SETTINGS}
    if not any(decided in (one, one | {"reasoning": None}) for one in settings):
        raise ConfigError(f"'{role['model']}' is configured with other settings", field=field)


def _provider(model: str) -> str:
    return model.partition(":")[0]


class OtherSettingsError(ConfigError):
    """A configuration that is not a stored run's; `field` names the first setting that differs."""


def require_same_config(config: FusionConfig, stored: dict[str, Any]) -> None:
    """Refuse a configuration that is not the stored one.

    Raises:
        OtherSettingsError: It differs.
    """
    # A setting that the version which stored the run did not know was, in effect, at its default.
    defaults = FusionConfig(panel=config.panel).model_dump(mode="json", exclude={"panel"})
    for field, before, now in _differences(_completed(stored, defaults), dump_config(config)):
        if now is None and field == "limits.seconds":  # what an earlier version wrote where none was set
            continue
        message = f"the run was started with {before!r}, not {now!r}; leave it out, or ask anew"
        raise OtherSettingsError(message, field=field)


def _named_roles(decision: dict[str, Any]) -> dict[str, Any]:
    return {role: decision[role] for role in ("judge", "synthesizer")}


def _roles(config: FusionConfig) -> list[Panelist]:
    roles = (config.judge, config.synthesizer, config.verify)
    return [*config.panel, *(role for role in roles if isinstance(role, Panelist))]


def _by_name(panelist: Panelist) -> Panelist:
    if isinstance(panelist.model, str):
        return panelist
    return panelist.model_copy(update={"model": f"{_OBJECT}{type(panelist.model).__name__} {panelist.model_name}>"})


def _completed(stored: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return `stored` with the defaults of the settings that it lacks, in its tables too."""
    tables = {
        name: _completed(value, defaults[name])
        for name, value in stored.items()
        if isinstance(value, dict) and isinstance(defaults.get(name), dict)
    }
    return defaults | stored | tables


def _differences(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    # By position, so that the error names the one seat that differs instead of printing both panels.
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = dict(enumerate(before)), dict(enumerate(now))
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif before != now:
        yield path, before, now
