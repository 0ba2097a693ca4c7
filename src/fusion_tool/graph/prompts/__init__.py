"""Prompts: Markdown templates in this folder."""

from functools import cache
from importlib.resources import files
from string import Template


def render(name: str, **values: object) -> str:
    """Return the template `name` (its file without `.md`) with `$placeholders` filled in.

    Values are inserted as they are: a `$` inside one stays a `$`.
    """
    # Not `safe_substitute`: a placeholder without a value is a fault of ours, which a prompt must not show.
    return _template(name).substitute(values)


def section(title: str, text: str) -> str:
    """Return a Markdown section, or nothing where there is no text."""
    return f"# {title}\n\n{text}\n\n" if text else ""


@cache
def _template(name: str) -> Template:
    return Template((files(__name__) / f"{name}.md").read_text("utf-8").strip())
