"""What evaluations need beyond the package's own dependencies."""

import importlib.util

from fusion_tool.errors import ConfigError


def check_installed() -> None:
    """Fail before anything is spent where the extra `evals` is not installed.

    Raises:
        ConfigError: It is not; the message says how to install it.
    """
    if importlib.util.find_spec("scipy") is None:
        raise ConfigError("evaluations need scipy: pip install 'fusion-tool[evals]'")
