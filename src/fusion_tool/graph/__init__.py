"""The run itself: the graph's state, nodes, agents, strategies and prompts.

`build_graph` is loaded when it is first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fusion_tool.graph.build import build_graph
else:
    from importlib import import_module

    _HOME = {"build_graph": "build"}

    def __getattr__(name: str) -> object:
        """Load the module that `name` lives in."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = ["build_graph"]
