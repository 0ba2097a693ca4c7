"""The output items of the last responses, for clients that send an id instead of what they got.

The AI SDK does so unless its user sets `store` to false. Only this process knows them, each caller its own.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

_MOST_BYTES = 16_000_000


class RecentItems:
    """A bounded memory of items, by caller and id; the oldest ones go first.

    Args:
        most_bytes: Upper bound of all items together, as JSON.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._items: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._most_bytes, self._bytes = most_bytes, 0

    def add(self, caller: str, items: Iterable[dict[str, Any]]) -> None:
        """Remember items of a caller, by name; each has an id of its own."""
        for item in items:
            self._items[caller, item["id"]] = text = json.dumps(item)
            self._bytes += len(text)
        while self._bytes > self._most_bytes:
            _, oldest = self._items.popitem(last=False)
            self._bytes -= len(oldest)

    def find(self, caller: str, item_id: Any) -> dict[str, Any] | None:
        """Return a caller's item of that id; `None` where it is not remembered."""
        text = self._items.get((caller, item_id)) if isinstance(item_id, str) else None
        return None if text is None else json.loads(text)
