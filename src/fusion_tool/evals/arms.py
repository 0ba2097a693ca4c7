"""`Arm`: one way of answering that is compared with others: a model, a panel, the router, a recording."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.evals.recorded import Recorded, read_recorded
from fusion_tool.settings import resolve

Kind: TypeAlias = Literal["solo", "self", "panel", "routed", "replay"]

FORMS = (
    "solo:PROVIDER:MODEL",
    "self:PROVIDER:MODEL[,seats=N]",
    "panel:PRESET",
    "panel:FILE.toml",
    "routed[:PRESET]",
    "replay:FILE.jsonl",
)
_OPTIONS = "tools=on|off, judge=PROVIDER:MODEL, synthesizer=PROVIDER:MODEL, usd=LIMIT, and for self seats=N"
_NAME = re.compile(r"([\w.+@-]+)=(?=(?:solo|self|panel|routed|replay)\b)")
_SWITCH = {"on": True, "off": False}
_NO_TOOLS: Mapping[str, Any] = {"search": None, "documents": None, "bash": "off"}


@dataclass(frozen=True)
class Arm:
    """One way of answering.

    Args:
        name: In rows and reports.
        kind: Of the forms in `FORMS`.
        config: What a run of it uses; for a recording the judge and the synthesizer alone, where the recorded answers
            are a panel's. `None` where nothing is asked of anybody.
        recorded: By task id, for a recording.
    """

    name: str
    kind: Kind
    config: FusionConfig | None
    recorded: Mapping[str, Recorded] = field(default_factory=dict, hash=False)

    @property
    def models(self) -> tuple[Panelist, ...]:
        """Everyone who may write a word of its answers."""
        if self.config is None:
            return ()
        seats = () if self.kind == "replay" else self.config.panel
        later = () if self.config.strategy == "solo" else (self.config.synthesizer_or_default,)
        return tuple(dict.fromkeys((*seats, *later)))

    @property
    def has_tools(self) -> bool:
        """Whether its seats have any."""
        config = self.config
        return config is not None and bool(config.search or config.documents or config.bash != "off")


def parse_arms(specs: list[str], overrides: Mapping[str, Any] | None = None) -> list[Arm]:
    """The arms that `specs` describe, in their order.

    Args:
        specs: Each `[NAME=]FORM[,option=value...]`; without a name its own text is it.
        overrides: Fields of `FusionConfig` that replace those of every arm.

    Raises:
        ConfigError: One is wrong, or two have the same name; names the arm.
    """
    if not specs:
        raise ConfigError(f"name at least one: {', '.join(FORMS)}", field="arm")
    arms = [_parsed(spec.strip(), overrides or {}) for spec in specs]
    for place, arm in enumerate(arms):
        if any(arm.name == other.name for other in arms[:place]):
            raise ConfigError(
                f"two arms have the name '{arm.name}'; give one another: NAME={specs[place]}", field="arm"
            )
    return arms


def _parsed(spec: str, overrides: Mapping[str, Any]) -> Arm:
    named = _NAME.match(spec)
    form, *given = (spec[named.end() :] if named else spec).split(",")
    kind, _, what = form.partition(":")
    options = _options(spec, given)
    try:
        match kind, what:
            case "replay", str(file) if file:
                recorded = read_recorded(Path(file))
                name = named[1] if named else spec
                return Arm(name, "replay", _over_recorded(recorded, options, overrides), recorded)
            case (("solo" | "self" | "panel"), str(value)) if value:
                config = _asked(kind, value, options)
            case "routed", str(preset):
                config = resolve(preset or None, strategy="auto")
            case _:
                raise ConfigError(  # noqa: TRY301 - told with its arm, below
                    f"is none of {', '.join(FORMS)}"
                )
        return Arm(named[1] if named else spec, kind, _adjusted(config, options, overrides))
    except ConfigError as error:
        raise ConfigError(f"'{spec}': {error}", field="arm") from None


def _options(spec: str, given: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for one in given:
        name, _, value = one.partition("=")
        if name == "tools" and value in _SWITCH:
            options[name] = _SWITCH[value]
        elif name == "usd" and re.fullmatch(r"\d+(\.\d+)?", value):
            options[name] = float(value)
        elif (name in ("judge", "synthesizer") and value) or (name == "seats" and value.isdecimal()):
            options[name] = value
        else:
            raise ConfigError(f"'{spec}': no option '{one}'; there are {_OPTIONS}", field="arm")
    return options


def _asked(kind: str, value: str, options: Mapping[str, Any]) -> FusionConfig:
    if "seats" in options and kind != "self":
        raise ConfigError("seats=N is for self:PROVIDER:MODEL")
    match kind:
        case "solo":
            return FusionConfig(panel=(value,), strategy="solo")
        case "self":
            return FusionConfig(panel=(value,) * int(options.get("seats", 2)))
        case _:
            return resolve(value)


def _adjusted(config: FusionConfig, options: Mapping[str, Any], overrides: Mapping[str, Any]) -> FusionConfig:
    """`config` with what holds for every arm, and over it the arm's own options."""
    own = {**_roles(options), **({} if options.get("tools", True) else _NO_TOOLS)}
    if "usd" in options:
        own["limits"] = {"usd": options["usd"]}
    return resolve(resolve(config, **overrides), **own)


def _roles(options: Mapping[str, Any]) -> dict[str, Any]:
    return {role: {"model": options[role]} for role in ("judge", "synthesizer") if role in options}


def _over_recorded(
    recorded: Mapping[str, Recorded], options: Mapping[str, Any], overrides: Mapping[str, Any]
) -> FusionConfig | None:
    """What judges and writes over recorded panels; `None` for recorded answers."""
    roles = _roles(options)
    panels = [one for one in recorded.values() if one.seats]
    if bool(roles) != bool(panels):
        raise ConfigError(
            "recorded panels need a synthesizer: add synthesizer=PROVIDER:MODEL"
            if panels
            else "judge= and synthesizer= are for recorded panels: rows with 'answers', a list of {model, answer}"
        )
    if not roles:
        return None
    if len(panels) < len(recorded):
        raise ConfigError("some rows hold a panel's 'answers', others one 'answer'; keep them in two files")
    writer = roles.get("synthesizer") or roles["judge"]
    limits = {"limits": overrides["limits"]} if "limits" in overrides else {}
    return FusionConfig(panel=(writer,), judge=roles.get("judge", writer), synthesizer=writer, **_NO_TOOLS, **limits)
