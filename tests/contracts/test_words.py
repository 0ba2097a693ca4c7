"""What a user sets wrongly, on whichever face, is told in plain words: the setting, what it takes, the nearest name.

By the fields themselves, so that a new setting is held to it, too.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from inspect import unwrap
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from typer.main import get_command

from fusion_tool.cli.main import app
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import Documents, FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.servers.overrides import RunOverrides, parse_overrides

OF_PROGRAMMERS = re.compile(
    r"Input should|valid (integer|tuple|dict|boolean|string|float|number)|validation error|NoneType|type=|pydantic"
    r"|Field required|unable to (parse|interpret)|instance of|<class|object at 0x|\[lax|function-|BaseChatModel"
    r"|\b(tuple|Tuple|dict|str|bool|float|int|None)\b"
)
WRONG = ["abc", "", 7, -1, 1.5, 10**30, float("nan"), True, None, [], [1], [None], ["", 7], {}, {"x": 1}]
ONE = {"panel": ["x:one"]}


def parts(owner: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[type[BaseModel], tuple[str, ...]]]:
    """Every class of settings, with where it stands."""
    yield owner, path
    for name, field in owner.model_fields.items():
        classes = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        inner = next((kind for kind in classes if issubclass(kind, BaseModel)), None)
        if inner and inner is not Panelist and not path:
            yield from parts(inner, (name,))


def settings(owner: type[BaseModel]) -> list[tuple[type[BaseModel], tuple[str, ...], str]]:
    return [(kind, path, name) for kind, path in parts(owner) for name in kind.model_fields]


SEAT = [(Panelist, ("panel", "0"), name) for name in Panelist.model_fields]
SETTINGS = [*settings(FusionConfig), *SEAT]


def nested(path: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """The configuration in which one setting has `value`."""
    match path:
        case ():
            return ONE | {name: value}
        case ("panel", "0"):
            return {"panel": [{"model": "x:one"} | {name: value}]}
        case (table,):
            required = {"path": "notes"} if table == "documents" else {}
            return ONE | {table: required | {name: value}}
    raise AssertionError(path)


def complain(build: Any, values: Any) -> ConfigError | None:
    """The error that the values make, which is in plain words; `None` where they are right."""
    try:
        build(values)
    except ConfigError as error:
        refused = error
    else:
        return None
    assert not OF_PROGRAMMERS.search(str(refused)), str(refused)
    assert refused.field
    return refused


def of_overrides(values: dict[str, Any]) -> FusionConfig:
    return resolve_config(FusionConfig(**ONE), **values)


@pytest.mark.parametrize(("kind", "path", "name"), SETTINGS, ids=str)
def test_a_wrong_value_is_told_in_plain_words(kind, path, name):
    for build in (lambda values: FusionConfig(**values), of_overrides):
        errors = [error for value in WRONG if (error := complain(build, nested(path, name, value)))]
        assert errors, "takes anything"
        assert all(f"{error.field}.".startswith(".".join((*path, name))) for error in errors if kind is not Documents)


def is_text(kind: type[BaseModel], name: str) -> bool:
    return str in get_args(kind.model_fields[name].annotation)


def bounds() -> Iterator[tuple[tuple[str, ...], str, Any, Any]]:
    for kind, path, name in SETTINGS:
        for bound in kind.model_fields[name].metadata:
            match bound:
                case Ge(ge=limit):
                    yield path, name, limit - 1, limit
                case Gt(gt=limit):
                    yield path, name, limit, limit
                case Le(le=limit):
                    yield path, name, limit + 1, limit
                case Lt(lt=limit):
                    yield path, name, limit, limit
                case MinLen(min_length=limit):
                    yield path, name, "" if is_text(kind, name) else [], limit
                case MaxLen(max_length=limit):
                    yield path, name, ("x" if is_text(kind, name) else ["x:one"]) * (limit + 1), limit


@pytest.mark.parametrize(("path", "name", "value", "limit"), list(bounds()))
def test_a_value_out_of_range_is_told_with_the_bound(path, name, value, limit):
    error = complain(lambda values: FusionConfig(**values), nested(path, name, value))
    assert error
    assert re.search(rf"\b{limit:g}\b", error.message), error.message


NUMBERS = [
    (path, name)
    for kind, path, name in SETTINGS
    if re.search(r"\b(int|float)\b(?!\W+\.\.\.)", str(kind.model_fields[name].annotation))
]


@pytest.mark.parametrize(("path", "name"), NUMBERS, ids=str)
def test_true_is_no_number(path, name):
    error = complain(lambda values: FusionConfig(**values), nested(path, name, value=True))
    assert error
    assert error.field == ".".join((*path, name))


@pytest.mark.parametrize(("kind", "path", "name"), SETTINGS, ids=str)
def test_a_misspelt_setting_is_told_the_nearest_one(kind, path, name):
    misspelt = name[:-2] + name[-1] + name[-2] if len(name) > 3 else name + name[-1]
    if misspelt in kind.model_fields:
        pytest.skip("another setting")
    error = complain(lambda values: FusionConfig(**values), nested(path, misspelt, 1))
    assert error
    assert error.field == ".".join((*path, misspelt))
    assert f"did you mean '{name}'?" in error.message


CHOICES = [
    (path, name, choice)
    for kind, path, name in SETTINGS
    for choice in get_args(kind.model_fields[name].annotation)
    if isinstance(choice, str)
]


@pytest.mark.parametrize(("path", "name", "choice"), CHOICES)
def test_a_misspelt_choice_is_told_the_nearest_one(path, name, choice):
    error = complain(lambda values: FusionConfig(**values), nested(path, name, f"{choice}e".upper()))
    assert error
    assert f"did you mean '{choice}'?" in error.message


def to_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {to_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return "nan" if value != value else json.dumps(value)  # noqa: PLR0124 - what is no number equals nothing


@pytest.mark.parametrize(("path", "name"), [place for _, *place in SETTINGS], ids=str)
def test_a_file_tells_it_with_its_own_name(path, name, tmp_path):
    file = tmp_path / "fusion.toml"
    said = []
    for value in (value for value in WRONG if value not in (None, [None]) and value != 10**30):
        rows = nested(path, name, value).items()
        file.write_text("".join(f"{key} = {to_toml(item)}\n" for key, item in rows), "utf-8")
        tomllib.loads(file.read_text("utf-8"))
        said += [error.message for _ in [0] if (error := complain(resolve_config, file))]
    assert said
    assert all(f"(in {file})" in message for message in said)


@pytest.mark.parametrize(("path", "name"), [place for _, *place in settings(RunOverrides)], ids=str)
def test_a_hosted_caller_is_told_in_plain_words(path, name):
    values = [{path[0]: {name: value}} if path else {name: value} for value in WRONG]
    assert any(complain(parse_overrides, value) for value in values)


def options() -> list[tuple[str, ...]]:
    """Every option of every command that takes a number or a choice, with a wrong value."""
    rows: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*path, name))
        hints = get_type_hints(unwrap(command.callback)) if command.callback and path else {}
        for param in command.params:
            kinds = {hints.get(param.name), *get_args(hints.get(param.name))}
            choices = sorted(kind for kind in kinds if isinstance(kind, str))
            choices += sorted(name for kind in kinds if get_origin(kind) is Literal for name in get_args(kind))
            if param.opts[0].startswith("--") and (choices or kinds & {int, float}) and param.name != "verbose":
                rows.append((*path, param.opts[0], f"{choices[0]}e" if choices else "many"))

    walk(get_command(app), ())
    return rows


@pytest.mark.parametrize("arguments", options(), ids=" ".join)
def test_a_flag_tells_it_too(arguments, capsys):
    assert app(arguments, standalone_mode=False) == 2
    said = capsys.readouterr().err
    assert not OF_PROGRAMMERS.search(said), said
    assert re.search(f"{arguments[-2]}.*(expected a |did you mean '{arguments[-1][:-1]}')", said), said
