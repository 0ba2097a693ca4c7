"""How models fare, remembered across runs: what `fusion-tool models` shows, and what keeps failing models last."""

from fusion_tool.health.breaker import Breaker, Standing
from fusion_tool.health.outcome import Outcome, name_of
from fusion_tool.health.store import KEEP_DAYS, default_path
from fusion_tool.health.summary import ModelHealth
from fusion_tool.health.watch import ended, learn, note, order, prepare, standing, summary, switch, unavailable

__all__ = [
    "KEEP_DAYS",
    "Breaker",
    "ModelHealth",
    "Outcome",
    "Standing",
    "default_path",
    "ended",
    "learn",
    "name_of",
    "note",
    "order",
    "prepare",
    "standing",
    "summary",
    "switch",
    "unavailable",
]
