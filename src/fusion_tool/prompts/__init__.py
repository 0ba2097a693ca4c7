"""Prompts: Markdown templates in this folder, and the fence that keeps outside text apart from instructions."""

from functools import cache
from importlib.resources import files
from string import Template


def render(name: str, **values: object) -> str:
    """The template `name` (its file without `.md`) with `$placeholders` filled in.

    Values are inserted as they are: a `$` inside one stays a `$`.
    """
    return _template(name).substitute(values)


def fence(text: str, *, label: str, nonce: str) -> str:
    """`text` from outside, between lines that it cannot forge.

    Args:
        text: Untrusted text.
        label: What it is, such as `answer A`.
        nonce: The run's random token; occurrences in the text are replaced, so that it cannot close the fence.
    """
    # Replaced, not removed: what stood around a removed token could form it anew. A label is outside text too,
    # where it carries a page's title.
    inside, label = text.replace(nonce, "-"), " ".join(label.replace(nonce, "-").split())
    return f"<<<{nonce} begin {label}\n{inside}\n{nonce} end>>>"


def section(title: str, text: str) -> str:
    """A Markdown section, or nothing where there is no text."""
    return f"# {title}\n\n{text}\n\n" if text else ""


@cache
def _template(name: str) -> Template:
    return Template((files(__name__) / f"{name}.md").read_text("utf-8").strip())
