"""The installed version."""

from functools import cache


@cache
def version() -> str:
    """The package's version, from its metadata."""
    from importlib.metadata import version as installed

    return installed("fusion-tool")
