"""A seat's work: one model, its tools or the evidence gathered for it, one answer."""

from fusion_tool.seat.answer import answer
from fusion_tool.seat.notebook import Answer, Notebook

__all__ = ["Answer", "Notebook", "answer"]
