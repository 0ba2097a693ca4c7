"""The user's own folder, searchable: an index of its texts in one SQLite file."""

from fusion_tool.documents.index import DocumentIndex, open_index
from fusion_tool.documents.store import Skipped

__all__ = ["DocumentIndex", "Skipped", "open_index"]
