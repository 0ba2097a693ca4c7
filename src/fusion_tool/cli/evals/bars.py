"""How an evaluation goes, on stderr: a bar a phase, and what was spent."""

from collections.abc import Iterator
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
from fusion_tool.evals.evaluate import Phase, Watcher


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
    with Progress(*columns, console=consoles.stderr()) as progress:
        yield _Bars(progress)


class _Bars(Watcher):
    def __init__(self, progress: Progress) -> None:
        self._progress, self._at, self._spent = progress, TaskID(0), 0.0

    def begins(self, phase: Phase, total: int) -> None:
        self._spent = 0.0
        self._at = self._progress.add_task(phase, total=total, spent="")

    def advances(self, usd: float | None) -> None:
        self._spent += usd or 0.0
        self._progress.update(self._at, advance=1, spent=dollars(self._spent))
