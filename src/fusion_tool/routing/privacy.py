"""Whether a question is private: it holds a secret, a personal identifier, or what the user's own patterns name."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import regex

from fusion_tool.errors import ConfigError
from fusion_tool.routing.checks import CHECKS

__all__ = ["Pattern", "is_private", "load_patterns"]

FILE = "private_patterns.toml"
"""In the user's configuration folder: additions to the shipped file of the same name, which tells what it holds."""
_PATIENCE = 1.0
"""Seconds of CPU that one pattern may take. The shipped ones are linear; a user's own may not be."""
_KEYS = frozenset({"pattern", "holds", "check", "off"})


@dataclass(frozen=True)
class Pattern:
    """One thing that makes a question private.

    Args:
        name: What it is, for people.
        expression: What is searched; the group `value`, where there is one, is what is checked.
        holds: Words, in lower case, one of which a text must hold for the search to be made; none: it always is.
        check: A name out of `CHECKS`, `None` where any match counts.
    """

    name: str
    expression: regex.Pattern[str]
    holds: tuple[str, ...] = ()
    check: str | None = None

    def found_in(self, text: str, folded: str) -> bool:
        """Whether `text`, in lower case `folded`, holds it. One that takes too long to tell counts as found."""
        if self.holds and not any(word in folded for word in self.holds):
            return False
        try:
            matches = self.expression.finditer(text, timeout=_PATIENCE)
            return any(self.check is None or CHECKS[self.check](_value(match)) for match in matches)
        except TimeoutError:
            return True


def is_private(question: str, context: str, patterns: Sequence[Pattern]) -> str | None:
    """What makes the question private, by the pattern's name; `None` where nothing does.

    Args:
        question: The question.
        context: What is already known, which goes wherever the question goes.
        patterns: As `load_patterns` gives them, in this order.
    """
    text = f"{question}\n{context}"
    folded = text.casefold()
    return next((pattern.name for pattern in patterns if pattern.found_in(text, folded)), None)


def load_patterns(folder: Path | None = None) -> tuple[Pattern, ...]:
    """The user's patterns, then the shipped ones that the user did not turn off. Read again when the file changes.

    Args:
        folder: Where the user's file is; by default this user's configuration folder.

    Raises:
        ConfigError: The file cannot be read, or has an unknown key or check, or no regular expression.
    """
    if folder is None:
        from platformdirs import user_config_path

        folder = user_config_path("fusion-tool")
    path = folder / FILE
    try:
        written = path.stat().st_mtime_ns
    except FileNotFoundError:
        return _loaded(path, None)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    return _loaded(path, written)


@lru_cache(maxsize=4)
def _loaded(path: Path, written: int | None) -> tuple[Pattern, ...]:
    shipped = tomllib.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))
    try:
        own = tomllib.loads(path.read_text("utf-8")) if written is not None else {}
        merged = own | {name: own.get(name, table) for name, table in shipped.items()}
        return tuple(_pattern(name, table) for name, table in merged.items() if not _is_off(table))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{error.message} (in {path})", field=error.field) from None


def _is_off(table: Any) -> bool:
    return isinstance(table, Mapping) and table.get("off") is True


def _pattern(name: str, table: Any) -> Pattern:
    if not isinstance(table, Mapping) or not isinstance(table.get("pattern"), str):
        raise ConfigError('expected a table with a pattern: ["project name"] pattern = ...', field=name)
    if unknown := set(table) - _KEYS:
        raise ConfigError("no such setting", field=f"{name}.{min(unknown)}")
    if (check := table.get("check")) is not None and check not in CHECKS:
        raise ConfigError(f"no check '{check}'; there are {', '.join(CHECKS)}", field=f"{name}.check")
    holds = table.get("holds", [])
    if not isinstance(holds, list) or not all(isinstance(word, str) for word in holds):
        raise ConfigError("expected a list of words", field=f"{name}.holds")
    try:
        expression = regex.compile(table["pattern"])
    except regex.error as error:
        raise ConfigError(f"is no regular expression: {error}", field=f"{name}.pattern") from None
    return Pattern(name, expression, tuple(word.casefold() for word in holds), check)


def _value(match: "regex.Match[str]") -> str:
    return match["value"] if "value" in match.re.groupindex else match[0]
