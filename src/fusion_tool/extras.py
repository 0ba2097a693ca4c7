"""Parts of the package that need more than its own installation brings."""

from importlib.util import find_spec

from fusion_tool.errors import ConfigError


def require(extra: str, *modules: str) -> None:
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
