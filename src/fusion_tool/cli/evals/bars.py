"""How an evaluation goes, on stderr: a bar a phase, and what was spent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fusion_tool.cli import consoles
from fusion_tool.cli.text import dollars
from fusion_tool.evals.watcher import Phase, Watcher
from fusion_tool.usage import Call


@contextmanager
def bars() -> Iterator[Watcher]:
    """A watcher whose bars are shown while the context is open; where stderr is no terminal, only their end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=consoles.stderr())
    try:
        yield _Bars(progress)
    finally:
        if progress.live.is_started:  # else it would end with an empty line
            progress.stop()


class _Bars(Watcher):
    def __init__(self, progress: Progress) -> None:
        self._progress, self._at = progress, TaskID(0)
        self._spent: float | None = None

    def begins(self, phase: Phase, total: int) -> None:
        self._spent = None
        self._progress.start()  # not before: a refusal stands alone
        self._at = self._progress.add_task(phase, total=total, spent="")

    def advances(self) -> None:
        self._progress.update(self._at, advance=1)

    def pays(self, calls: Sequence[Call]) -> None:
        known = [call.cost_usd for call in calls if call.cost_usd is not None]
        if known:
            self._spent = (self._spent or 0.0) + sum(known)
            self._progress.update(self._at, spent=dollars(self._spent))
