"""The response cache: who asks the same again on the same day gets the stored result, and pays nothing.

Opt-in, by `FusionConfig.cache`. Whole runs are kept, never single calls, so that the seats of a panel that asks one
model twice stay two. Those who ask the same at once in one process share one run.
"""

from fusion_tool.cache.store import default_path
from fusion_tool.cache.turn import Turn, turn

__all__ = ["Turn", "default_path", "turn"]
