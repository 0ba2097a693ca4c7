"""Pages: their templates, their one style sheet, and the policy by which a browser loads nothing else."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fusion_tool.budget.usage import is_search
from fusion_tool.config.installation import require_extra
from fusion_tool.events import format_seconds, one_line
from fusion_tool.report import labels

if TYPE_CHECKING:
    from jinja2 import Environment

_HOME = "fusion_tool.report"
_POLICY = "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'"
"""A Content Security Policy without script and network: even text that slipped through as HTML could do nothing."""

_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of writing, and halves of surrogate pairs, which UTF-8 lacks."""


def render_page(template: str, *, package: str = _HOME, **context: Any) -> str:
    """Fill a template that extends `base.html`; everything in `context` but `Markup` is escaped.

    Args:
        template: The template's file name.
        package: The package whose folder `templates` holds it; templates of this package are found too.
        context: The template's variables.

    Returns:
        HTML in one piece.

    Raises:
        ConfigError: The extra `report` is not installed.
    """
    require_extra("report")
    return _UNSAFE.sub("\ufffd", _environment(package).get_template(template).render(context))


@cache
def _environment(package: str) -> "Environment":
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    homes = dict.fromkeys((package, _HOME))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(home) for home in homes]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (files(_HOME) / "templates" / "style.css").read_text("utf-8")
    # The policy allows this one style sheet, by its hash, and no other.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals |= {"style": Markup(style), "policy": _POLICY.format(digest)}  # noqa: S704 - our own file
    environment.globals |= {"words": labels, "is_search": is_search}
    environment.globals |= {"one_line": one_line, "format_seconds": format_seconds}
    return environment
