"""`ConfigModel`: the base of everything that a user sets, with errors that name the field and hold no value."""

from collections.abc import Collection, Iterator, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from fusion_tool.config.addresses import check_database_address, is_web_address
from fusion_tool.config.keys import is_variable_name
from fusion_tool.config.words import complaint, did_you_mean
from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.events import plain_line


class ConfigModel(BaseModel):
    """The base of every part of a configuration."""

    # Frozen, because runs share it; no extras, because a mistyped limit would otherwise be no limit, as an infinite one
    # is; errors without the input, because it may be a key.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    _by_position: ClassVar[tuple[str, ...]] = ()
    """The settings that need no name."""

    if not TYPE_CHECKING:  # the type checker keeps pydantic's typed constructor

        def __init__(self, *unnamed: Any, **named: Any) -> None:
            # Not a signature's work: what it refuses Python tells in words of its own.
            cls = type(self)
            if len(unnamed) > len(cls._by_position):
                example = f"{cls.__name__}({next(iter(cls.model_fields))}=...)"
                raise ConfigError(f"settings of {cls.__name__} are set by name, as in {example}")
            first = dict(zip(cls._by_position, unnamed, strict=False))
            for name in first.keys() & named:
                raise ConfigError("is set twice", field=name)
            try:
                super().__init__(**first, **named)
            except ValidationError as error:
                raise to_config_error(error) from None

    # Not left to pydantic, which knows no neighbour of what it calls "extra", and takes true for one dollar.
    @model_validator(mode="before")
    @classmethod
    def _reject_unknown(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            reject_unknown(values, cls.model_fields)
            for name, value in values.items():
                if isinstance(value, bool) and _is_number(cls.model_fields[name].annotation):
                    raise ConfigError("expected a number, not true or false", field=name)
        return values


def _is_number(annotation: Any) -> bool:
    """Tell whether a setting takes numbers, and neither true nor false nor anything whatever."""
    kinds = set(_kinds(annotation))
    return not kinds.isdisjoint((int, float)) and kinds.isdisjoint((bool, Any))


def _kinds(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType):
        for choice in get_args(annotation):
            yield from _kinds(choice)
    else:
        yield get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


_ELSEWHERE = {"preset": " (a preset is a whole FusionConfig: preset('NAME') in Python; one of your own has 'extends')"}
"""What is set in another place, and where."""


def reject_unknown(names: Collection[Any], known: Collection[str]) -> None:
    """Refuse a name that is no setting.

    Args:
        names: What somebody has set.
        known: The settings that there are.

    Raises:
        ConfigError: One of them does not exist; it says which existing one comes nearest, if one comes near.
    """
    for name in map(str, names):
        if name not in known:
            raise ConfigError(f"no such setting{_ELSEWHERE.get(name) or did_you_mean(name, known)}", field=name)


def to_config_error(error: ValidationError) -> ConfigError:
    """Return pydantic's first complaint as a `ConfigError` that names the field, in plain words."""
    errors = error.errors(include_url=False)
    field, message = complaint(errors)
    # A part's own ConfigError arrives in `ctx`, as any ValueError of a validator does; its field is inside the part.
    inner = errors[0].get("ctx", {}).get("error")
    if isinstance(inner, ConfigError):
        field, message = ".".join(filter(None, (field, inner.field))), inner.message
    return ConfigError(message, field=field or None)


def argument_error(error: ValidationError, known: Collection[str]) -> ConfigError:
    """Return pydantic's first complaint about a function's arguments; beside a missing one, those that it has not.

    Args:
        error: What pydantic says.
        known: The arguments that there are.
    """
    wrong, first = to_config_error(error), error.errors(include_url=False)[0]
    if first["type"] != "missing" or not isinstance(first["input"], Mapping):
        return wrong
    others = [str(name) for name in first["input"] if name not in known]
    hints = [f"; there is no '{plain_line(name, 40)}'{did_you_mean(name, known)}" for name in others]
    return ConfigError("".join([wrong.message, *hints[:3]]), field=wrong.field)


MOST_TOKENS = 2**53
"""Above this JSON readers no longer agree on an integer, and shares of it are no numbers; nobody has so many tokens."""
Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
"""A number of tokens."""
RUN_SECONDS = 180.0
"""The deadline of a run that has set none, where no model on the user's own machines needs more."""


def _check_model(value: Any) -> Any:
    # By its method: to import LangChain for a type check would slow down every start.
    if not (value.strip() if isinstance(value, str) else hasattr(value, "ainvoke")):
        raise ConfigError("a model is 'provider:model', for example 'openrouter:openai/gpt-5.5'")
    # By its type's name, which LangChain's bindings forward: a model with bound tools is recognized too.
    if getattr(value, "_llm_type", None) == "fusion":
        raise RecursionRefused("a ChatFusion is a panel itself; give this role another model")
    return value


# A form has no way to enter an object: the schema offers the name alone.
Model = Annotated[Any, AfterValidator(_check_model), WithJsonSchema({"type": "string"})]
"""`provider:model`, or a chat model of LangChain's."""
Positive = Annotated[float, Field(gt=0)]


def _check_key_variable(value: str) -> str:
    if not is_variable_name(value):  # it may be the key itself, so it is not repeated
        raise ConfigError("expected the name of an environment variable that holds the key, such as MY_API_KEY")
    return value


KeyVariable = Annotated[str, AfterValidator(_check_key_variable)]
"""The name of an environment variable that holds a key."""


def _check_endpoint(value: str) -> str:
    if not is_web_address(value):
        raise ConfigError("expected an http(s) URL such as http://localhost:8000/v1")
    parts = urlsplit(value)
    # An address is stored with a run and shown in errors; a password in it would be as well.
    if parts.username or parts.password:
        raise ConfigError("a URL must not carry a password; put the key into a variable named by api_key_env")
    return value


Endpoint = Annotated[str, AfterValidator(_check_endpoint)]
"""The address of an OpenAI-compatible server."""


DatabaseAddress = Annotated[str, AfterValidator(check_database_address)]
"""The address of a PostgreSQL database."""


def _check_site(value: str) -> str:
    try:
        host = urlsplit(value if "//" in value else f"//{value.strip()}").hostname or ""
    except ValueError:
        host = ""
    # What names no site would exclude none, and nobody would notice.
    if not any(char.isalnum() for char in host):
        raise ConfigError(f"{value!r} names no site; write one such as 'example.org'")
    return value


Site = Annotated[str, AfterValidator(_check_site)]
"""A domain or an address, such as `example.org`."""
