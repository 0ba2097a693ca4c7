"""`Watcher`: who follows an evaluation as it goes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from fusion_tool.usage import Call

Phase: TypeAlias = Literal["answers", "verdicts"]


class Watcher:
    """Follows an evaluation; this one does not look."""

    def begins(self, phase: Phase, total: int) -> None:
        """A phase of `total` steps begins."""

    def advances(self) -> None:
        """One step more is done."""

    def pays(self, calls: Sequence[Call]) -> None:
        """These calls were made, and are paid for."""
