"""Arms: the ways of answering that an evaluation compares, among them recorded answers.

`parse_arms` reads the command line's forms, `read_recorded` a file of recorded answers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import preset_names
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.words import complaint, did_you_mean
from fusion_tool.errors import ConfigError
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.decide import settle_roles


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)  # another program's file may have more fields


class RecordedSeat(_Value):
    """The recorded answer of one model of a panel."""

    model: Annotated[str, Field(min_length=1)]
    answer: Annotated[str, Field(validation_alias=AliasChoices("answer", "content"))]


class RecordedAnswer(_Value):
    """The recording for one task: an answer, or a panel's answers.

    Args:
        id: The task's id.
        answer: The answer as a reader sees it; `None` for a panel's answers.
        seats: The panel's answers in its order, `answers` in the file; empty for an answer.
        cost_usd: US dollars paid for it, `cost` in the file; `None` where unknown.
        seconds: Time it took; `None` where unknown.
    """

    id: Annotated[str, Field(min_length=1)]
    answer: str | None = None
    seats: Annotated[tuple[RecordedSeat, ...], Field(validation_alias=AliasChoices("answers", "responses"))] = ()
    cost_usd: Annotated[float | None, Field(ge=0, validation_alias=AliasChoices("cost", "cost_usd"))] = None
    seconds: Annotated[float | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _require_either(self) -> "RecordedAnswer":
        if (self.answer is None) == (not self.seats):
            raise ValueError("a row needs 'answer', or 'answers', a list of {model, answer}")
        return self


def read_recorded(path: Path) -> Mapping[str, RecordedAnswer]:
    """Read the recorded answers in a JSON Lines file, by task id.

    Raises:
        ConfigError: The file cannot be read, or a row is wrong; names the line.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # not `splitlines`: U+2028 may stand inside a JSON string
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    rows: dict[str, RecordedAnswer] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _row(line, f"{path}, line {number}")
            if row.id in rows:
                raise ConfigError(f"'{row.id}' is recorded twice ({path}, line {number})")
            rows[row.id] = row
    if not rows:
        raise ConfigError(f"{path} holds no recorded answer")
    return rows


def _row(line: str, at: str) -> RecordedAnswer:
    try:
        value: Any = json.loads(line)
        # Many data sets number their tasks; ids are compared as texts.
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            value["id"] = str(value["id"])
        return RecordedAnswer.model_validate(value)
    except ValidationError as error:
        field, message = complaint(error.errors())
        raise ConfigError(f"{field}: {message} ({at})" if field else f"{message} ({at})") from None
    except ValueError as error:
        raise ConfigError(f"not JSON: {error} ({at})") from None


ArmKind: TypeAlias = Literal["solo", "self", "panel", "routed", "replay"]

FORMS = (
    "solo:PROVIDER:MODEL",
    "self:PROVIDER:MODEL[,seats=N]",
    "panel:PRESET",
    "panel:FILE.toml",
    "routed[:PRESET]",
    "replay:FILE.jsonl",
)
_OPTIONS = "tools=on|off, judge=PROVIDER:MODEL[|...], synthesizer=PROVIDER:MODEL[|...], usd=LIMIT, and for self seats=N"
# A name only before one of the forms: an option of the form has an equals sign, too.
_NAME = re.compile(r"([\w.+@-]+)=(?=(?:solo|self|panel|routed|replay)\b)")
_SWITCH = {"on": True, "off": False}
_ALONE: Mapping[str, Any] = {"judge": None, "synthesizer": None, "limits": {"quorum": None, "min_answers": 1}}
"""What a model that is asked by itself does not take from the user's file."""
_NO_TOOLS: Mapping[str, Any] = {"search": None, "documents": None, "bash": "off"}


@dataclass(frozen=True)
class Arm:
    """One way of answering.

    Args:
        name: The arm's name in rows and reports.
        kind: The form it was written in, one of `FORMS`.
        config: The configuration of its runs; for recorded panels only its judge and synthesizer are used. `None` for
            recorded answers, for which no model is called.
        recorded: The recording by task id; empty for an arm that is run.
    """

    name: str
    kind: ArmKind
    config: FusionConfig | None
    recorded: Mapping[str, RecordedAnswer] = field(default_factory=dict, hash=False)

    @property
    def models(self) -> tuple[Panelist, ...]:
        """The models that may write a word of its answers."""
        if self.config is None:
            return ()
        seats = () if self.kind == "replay" else self.config.panel
        later = () if strategy_named(self.config.strategy).is_single else (self.config.synthesizer_or_default,)
        return tuple(dict.fromkeys((*seats, *later)))


def parse_arms(specs: list[str], overrides: Mapping[str, Any] | None = None) -> list[Arm]:
    """Parse the arms that `specs` describe, in their order.

    Args:
        specs: Each `[NAME=]FORM[,option=value...]`; without a name the text itself is the name. Several judges or
            synthesizers, parted by `|`, make an arm of each cast.
        overrides: Fields of `FusionConfig` that replace those of every arm.

    Raises:
        ConfigError: A spec is wrong, or two arms have the same name; the message names the arm.
    """
    if not specs:
        raise ConfigError(f"name at least one: {', '.join(FORMS)}", field="arm")
    specs = [cast for spec in specs for cast in _casts_of(spec.strip())]
    arms = [_parse_arm(spec, overrides or {}) for spec in specs]
    # Rows name their arm: two of one name would overwrite each other's answers.
    for index, arm in enumerate(arms):
        if any(arm.name == other.name for other in arms[:index]):
            raise ConfigError(
                f"two arms have the name '{arm.name}'; give one another: NAME={specs[index]}", field="arm"
            )
    return arms


def _casts_of(spec: str) -> list[str]:
    """Return the arms that one text stands for: one for each judge with each synthesizer that it names."""
    form, *words = spec.split(",")
    choices = [word.split("|") for word in words]
    choices = [[first, *(f"{first.partition('=')[0]}={other}" for other in others)] for first, *others in choices]
    casts = [",".join((form, *cast)) for cast in product(*choices)]
    if len(casts) == 1 or (name := _NAME.match(spec)) is None:
        return casts
    # A name stands for one configuration.
    return [f"{name[1]}-{number}={cast.removeprefix(name[0])}" for number, cast in enumerate(casts, 1)]


def _parse_arm(spec: str, overrides: Mapping[str, Any]) -> Arm:
    prefix = _NAME.match(spec)
    name = prefix[1] if prefix else spec
    form, *words = spec.removeprefix(prefix[0] if prefix else "").split(",")
    kind, _, target = form.partition(":")
    options = _parse_options(spec, words)
    try:
        match kind, target:
            case "replay", str(file) if file:
                recorded = read_recorded(Path(file))
                return Arm(name, "replay", _recorded_config(recorded, options, overrides), recorded)
            case (("solo" | "self" | "panel"), str(value)) if value:
                config = _base_config(kind, value, options)
            case "routed", str(preset):
                return Arm(
                    name, kind, _adjust_config(resolve_config(preset or None, strategy="auto"), options, overrides)
                )
            case _:
                forms = (*(f"panel:{name}" for name in preset_names()), *FORMS)
                hint = did_you_mean(f"panel:{form}", forms, cutoff=0.8) or did_you_mean(form, forms)
                raise ConfigError(f"is none of {', '.join(FORMS)}{hint}")  # noqa: TRY301 - the handler adds the arm
        # A judge and a writer whom nobody named are part of what is compared, and so of what the folder stores.
        return Arm(name, kind, settle_roles(_adjust_config(config, options, overrides)).config)
    except ConfigError as error:
        raise ConfigError(f"'{spec}': {error}", field="arm") from None


def _parse_options(spec: str, words: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name == "tools" and value in _SWITCH:
            options[name] = _SWITCH[value]
        elif name == "usd" and re.fullmatch(r"\d+(\.\d+)?", value):
            options[name] = float(value)
        elif (name in ("judge", "synthesizer") and value) or (name == "seats" and value.isdecimal()):
            options[name] = value
        else:
            raise ConfigError(f"'{spec}': no option '{word}'; there are {_OPTIONS}", field="arm")
    return options


def _base_config(kind: str, value: str, options: Mapping[str, Any]) -> FusionConfig:
    if "seats" in options and kind != "self":
        raise ConfigError("seats=N is for self:PROVIDER:MODEL")
    match kind:
        case "solo":
            return resolve_config(panel=(value,), strategy="solo", **_ALONE)
        case "self":
            return resolve_config(panel=(value,) * int(options.get("seats", 2)), **_ALONE)
        case _:
            return resolve_config(value)


def _adjust_config(config: FusionConfig, options: Mapping[str, Any], overrides: Mapping[str, Any]) -> FusionConfig:
    """Apply `overrides`, which hold for every arm, and over them the arm's own options."""
    changes = {**_roles(options), **({} if options.get("tools", True) else _NO_TOOLS)}
    if "usd" in options:
        changes["limits"] = {"usd": options["usd"]}
    # One after the other: nested fields merge, so that `usd` stands beside a `seconds` of all arms.
    return resolve_config(resolve_config(config, **overrides), **changes)


def _roles(options: Mapping[str, Any]) -> dict[str, Any]:
    return {role: {"model": options[role]} for role in ("judge", "synthesizer") if role in options}


def _recorded_config(
    recorded: Mapping[str, RecordedAnswer], options: Mapping[str, Any], overrides: Mapping[str, Any]
) -> FusionConfig | None:
    """Return the configuration that judges and writes over recorded panels; `None` for recorded answers."""
    roles = _roles(options)
    panels = [answer for answer in recorded.values() if answer.seats]
    # Either both or neither: recorded answers need nobody, and over recorded panels somebody has to write.
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
    synthesizer = roles.get("synthesizer") or roles["judge"]
    limits = {"limits": overrides["limits"]} if "limits" in overrides else {}
    # A configuration needs a panel; this one is replaced by the recorded seats before it runs.
    return FusionConfig(
        panel=(synthesizer,), judge=roles.get("judge", synthesizer), synthesizer=synthesizer, **_NO_TOOLS, **limits
    )
