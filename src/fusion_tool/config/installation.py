"""The installed version, and whether an extra is installed."""

import importlib.util
from functools import cache
from importlib.util import find_spec

from fusion_tool.errors import ConfigError


def require_extra(extra: str, *modules: str) -> None:
    """Fail where a part is not installed.

    Args:
        extra: Its name in `pip install 'fusion-tool[...]'`.
        modules: What it brings.

    Raises:
        ConfigError: One of them is missing.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} not installed: pip install 'fusion-tool[{extra}]'")


@cache
def version() -> str:
    """The package's version, from its metadata."""
    from importlib.metadata import version as installed

    return installed("fusion-tool")


def require_evals() -> None:
    """Fail before anything is spent where the extra `evals` is not installed.

    Raises:
        ConfigError: It is not; the message says how to install it.
    """
    if importlib.util.find_spec("scipy") is None:
        raise ConfigError("evaluations need scipy: pip install 'fusion-tool[evals]'")
