"""The installed version, and whether an extra is installed."""

from functools import cache
from importlib.util import find_spec

from fusion_tool.errors import ConfigError


def require_extra(extra: str, *modules: str, field: str | None = None) -> None:
    """Fail, before anything is spent, where an extra is not installed.

    Args:
        extra: Its name in `pip install 'fusion-tool[...]'`.
        modules: The modules that it brings, by the names they are imported under.
        field: The setting that needs it; `None` where none does.

    Raises:
        ConfigError: A module is missing; the message says how to install the extra.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} not installed: pip install 'fusion-tool[{extra}]'", field=field)


@cache
def version() -> str:
    """Return the package's version, from its metadata."""
    from importlib.metadata import version as installed

    return installed("fusion-tool")
