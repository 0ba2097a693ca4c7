"""Recorded answers from a file: whole ones, or a panel's, over which judge and synthesizer are tried."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from fusion_tool.errors import ConfigError


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)  # a recording may hold more than is wanted here


class RecordedSeat(_Value):
    """What one model of a panel answered."""

    model: Annotated[str, Field(min_length=1)]
    answer: Annotated[str, Field(validation_alias=AliasChoices("answer", "content"))]


class Recorded(_Value):
    """What is recorded for one task: an answer, or a panel's answers.

    Args:
        id: The task's.
        answer: The answer, as a reader sees it; empty for a panel's.
        seats: The panel's answers, in its order; `answers` in the file.
        cost_usd: What it cost, `cost` in the file; `None` where unknown.
        seconds: How long it took, `None` where unknown.
    """

    id: Annotated[str, Field(min_length=1)]
    answer: str | None = None
    seats: Annotated[tuple[RecordedSeat, ...], Field(validation_alias=AliasChoices("answers", "responses"))] = ()
    cost_usd: Annotated[float | None, Field(ge=0, validation_alias=AliasChoices("cost", "cost_usd"))] = None
    seconds: Annotated[float | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Recorded":
        if (self.answer is None) == (not self.seats):
            raise ValueError("a row needs 'answer', or 'answers', a list of {model, answer}")
        return self


def read_recorded(path: Path) -> Mapping[str, Recorded]:
    """The recorded answers in a JSON Lines file, by task id.

    Raises:
        ConfigError: The file cannot be read, or a row is wrong; names the line.
    """
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    rows: dict[str, Recorded] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _row(line, f"{path}, line {number}")
            if row.id in rows:
                raise ConfigError(f"'{row.id}' is recorded twice ({path}, line {number})")
            rows[row.id] = row
    if not rows:
        raise ConfigError(f"{path} holds no recorded answer")
    return rows


def _row(line: str, at: str) -> Recorded:
    try:
        value: Any = json.loads(line)
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            value["id"] = str(value["id"])
        return Recorded.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{field}: {message} ({at})" if field else f"{message} ({at})") from None
    except ValueError as error:
        raise ConfigError(f"not JSON: {error} ({at})") from None
