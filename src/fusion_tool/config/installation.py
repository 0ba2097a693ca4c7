"""The installed version of the package, and whether its extras are installed."""

from functools import cache
from importlib.util import find_spec

from fusion_tool.errors import ConfigError

_MODULES = {
    "evals": ("scipy",),
    "local": ("xllamacpp", "psutil"),
    "mcp": ("mcp",),
    "postgres": ("psycopg", "psycopg_pool", "langgraph.checkpoint.postgres"),
    "report": ("jinja2", "markdown_it", "leather"),
    "server": ("starlette", "uvicorn", "prometheus_client"),
}
"""The modules that an extra must bring, by the extra's name in `pip install 'fusion-tool[...]'`."""


def require_extra(extra: str, *, field: str | None = None) -> None:
    """Fail where an extra is not installed, before its modules are imported or anything is spent.

    Args:
        extra: The extra's name: `evals`, `local`, `mcp`, `postgres`, `report` or `server`.
        field: The setting that needs it, for the error; `None` where none does.

    Raises:
        ConfigError: A module of the extra is missing; the message says how to install it.
    """
    # `find_spec` looks without importing: loading scipy is left to the code that needs it.
    missing = [module for module in _MODULES[extra] if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} not installed: pip install 'fusion-tool[{extra}]'", field=field)


@cache
def version() -> str:
    """Return the package's version, from its installed metadata."""
    # Imported here: `importlib.metadata` brings the parser of e-mails along, which costs every command's start.
    from importlib.metadata import version as installed_version

    return installed_version("fusion-tool")
