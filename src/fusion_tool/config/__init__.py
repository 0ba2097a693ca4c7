"""The configuration of a run, and the places of the package's files.

The configuration's classes are loaded when they are first used, because they bring pydantic.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion_tool.config.choices import SearchProvider, Strategy
    from fusion_tool.config.schema import Documents, Fetch, FusionConfig, Limits, Panelist, Search
else:
    from importlib import import_module

    _HOME = {
        "SearchProvider": "choices",
        "Strategy": "choices",
        "Documents": "schema",
        "Fetch": "schema",
        "FusionConfig": "schema",
        "Limits": "schema",
        "Panelist": "schema",
        "Search": "schema",
    }

    def __getattr__(name: str) -> object:
        """Load the module that `name` lives in."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = ["Documents", "Fetch", "FusionConfig", "Limits", "Panelist", "Search", "SearchProvider", "Strategy"]
