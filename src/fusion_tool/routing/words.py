"""The classifier's word lists and forms, read once from `words.toml`."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from fusion_tool.routing.phrases import Phrases

Forms: TypeAlias = tuple[tuple[str, re.Pattern[str]], ...]
"""Regular expressions, each with its name."""

_TOGETHER = frozenset({"zh", "ja"})
"""Languages that do not separate words."""


@cache
def data() -> Mapping[str, Any]:
    """The file as it is."""
    return tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))


def listed(text: str) -> list[str]:
    """Entries separated by commas, over as many lines as they take."""
    return [entry for part in text.split(",") if (entry := " ".join(part.split()))]


def phrases(text: str, language: str | None = None) -> Phrases:
    """A list of phrases, ready to be found; without a language, in this very form."""
    return Phrases(listed(text), language, together=language in _TOGETHER)


def forms(table: Mapping[str, str]) -> Forms:
    """Regular expressions, ready to be searched for."""
    return tuple((name, re.compile(form)) for name, form in table.items())


def seen(what: Forms, text: str) -> list[str]:
    """The names of the forms that occur in `text`."""
    return [name for name, form in what if form.search(text)]
