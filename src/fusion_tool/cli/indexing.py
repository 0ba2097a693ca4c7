"""Indexing the user's folder before the run, with a progress bar: the first time it may take a while."""

from pathlib import Path

from rich.console import Console


async def index(folder: Path, console: Console, *, quiet: bool) -> None:
    """Bring the index of `folder` up to date, and tell which documents were left out.

    Raises:
        ConfigError: The folder cannot be read.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fusion_tool.documents import open_index

    columns = TextColumn("indexing documents"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        opened = await open_index(
            folder, on_progress=lambda done, total: progress.update(bar, completed=done, total=total)
        )
    for skipped in () if quiet else opened.skipped:
        console.print(f"left out: {skipped.path}: {skipped.reason}", style="yellow", soft_wrap=True)
