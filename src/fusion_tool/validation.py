"""How every part of a configuration is checked: frozen, no unknown fields, a `ConfigError` that names the field."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_tool.errors import ConfigError


class Settings(BaseModel):
    """The base of every part of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    if not TYPE_CHECKING:  # the type checker keeps pydantic's typed constructor

        def __init__(self, **data: Any) -> None:
            try:
                super().__init__(**data)
            except ValidationError as error:
                raise config_error(error) from None


def config_error(error: ValidationError) -> ConfigError:
    """The first complaint of pydantic's as a `ConfigError` that names the field."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, ConfigError):
        path += [inner.field] if inner.field else []
        message = inner.message
    elif first["type"] == "extra_forbidden":
        message = "no such setting"
    else:
        message = first["msg"]
    return ConfigError(message, field=".".join(path) or None)
