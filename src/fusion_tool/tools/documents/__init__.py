"""Exports `open_index`."""

from fusion_tool.tools.documents.index import open_index

__all__ = ["open_index"]
