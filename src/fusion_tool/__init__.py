"""fusion-tool: a panel of language models researches a question, and one grounded, cited answer comes back.

    from fusion_tool import FusionTool, fuse

    result = fuse("question", "budget")      # alone
    agent = create_agent(model, tools=[FusionTool()])  # as a tool in an agent

Importing this package is cheap: everything below is loaded when it is first used (PEP 562).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion_tool.api.chat_model import ChatFusion
    from fusion_tool.api.run import afuse, astream, fuse
    from fusion_tool.api.tool import FusionTool
    from fusion_tool.config.presets import preset
    from fusion_tool.config.schema import Fetch, FusionConfig, Limits, Panelist, Search
    from fusion_tool.errors import (
        BlockedAddress,
        BudgetExceeded,
        ConfigError,
        DatabaseUnavailable,
        FusionError,
        PanelFailed,
        RecursionRefused,
        SandboxUnavailable,
    )
    from fusion_tool.graph.build import build_graph
    from fusion_tool.graph.result import FusionResult
else:
    from importlib import import_module

    _HOME = {
        "api.chat_model": ("ChatFusion",),
        "config.schema": ("Fetch", "FusionConfig", "Limits", "Panelist", "Search"),
        "errors": (
            "BlockedAddress",
            "BudgetExceeded",
            "ConfigError",
            "DatabaseUnavailable",
            "FusionError",
            "PanelFailed",
            "RecursionRefused",
            "SandboxUnavailable",
        ),
        "graph.build": ("build_graph",),
        "config.presets": ("preset",),
        "graph.result": ("FusionResult",),
        "api.run": ("afuse", "astream", "fuse"),
        "api.tool": ("FusionTool",),
    }
    _MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

    def __getattr__(name: str) -> object:
        """Load the module that `name` lives in."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'fusion_tool' has no attribute {name!r}")
        value = getattr(import_module(f"fusion_tool.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Return the public names, for completion."""
        return sorted({*globals(), *__all__})


__all__ = [
    "BlockedAddress",
    "BudgetExceeded",
    "ChatFusion",
    "ConfigError",
    "DatabaseUnavailable",
    "Fetch",
    "FusionConfig",
    "FusionError",
    "FusionResult",
    "FusionTool",
    "Limits",
    "PanelFailed",
    "Panelist",
    "RecursionRefused",
    "SandboxUnavailable",
    "Search",
    "afuse",
    "astream",
    "build_graph",
    "fuse",
    "preset",
]
