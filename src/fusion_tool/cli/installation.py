"""The installation of a local model on the terminal: what is done, how much of it, the time left, and a short trial."""

import asyncio

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fusion_tool.cli import terminal
from fusion_tool.errors import ConfigError
from fusion_tool.graph.agents.trial import try_local_model
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.local.install import InstallStep, install


def show_installation(source: str) -> None:
    """Install a model, and show how far it is.

    Args:
        source: As `install` takes it.

    Raises:
        ConfigError: As `install`.
    """
    console = terminal.stderr()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    latest = InstallStep(f"installing {source}")

    def describe() -> str:
        return latest.text if not latest.total else f"{latest.text}: {100 * (latest.done or 0) // latest.total} %"

    progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    with progress, terminal.signs_of_life(console, describe):
        task = progress.add_task("", total=None)

        def on_step(step: InstallStep) -> None:
            nonlocal latest
            latest = step
            # Where there is no terminal to redraw, each step is a line; the bytes of a download are not.
            if step.done is None or (step.done == 0 and not console.is_terminal):
                progress.console.print(step.text, highlight=False)
            progress.update(task, description=step.text, completed=step.done or 0, total=step.total)

        path = install(source, on_step=on_step)
    _show_trial(path.stem)


def _show_trial(name: str) -> None:
    """Try an installed model, and say what it does; a trial that fails harms nothing, and is told."""
    console = terminal.stderr()
    try:
        with console.status(f"trying {name}"), terminal.signs_of_life(console, lambda: f"trying {name}"):
            told = f"tried: {asyncio.run(try_local_model(name))}"
    except (ConfigError, ModelCallError) as error:
        told = f"not tried, its profile has to do: {error}"
    console.print(f"{name} is {told}", highlight=False)
