"""`--report FILE`: the run as a page, beside whatever stands on stdout."""

import sys
from pathlib import Path
from typing import Any

from fusion_tool.cli.failures import UNEXPECTED, failed_run, report
from fusion_tool.errors import ConfigError, PanelFailed


class Page:
    """The page of one run; it hears the run's events.

    Raises:
        ConfigError: The file cannot be written, or the extra `report` is not installed; nothing is paid for yet.
    """

    def __init__(self, path: Path, *, quiet: bool) -> None:
        from fusion_tool.report.page import ready

        self._path, self._quiet, self._events = path, quiet, list[Any]()
        ready()
        _try_out(path)

    def observe(self, event: Any) -> None:
        """Keep one event."""
        self._events.append(event)

    def written(self) -> int:
        """Write the page of the run that has ended, and say where it is.

        Returns:
            The exit status.
        """
        return self._write(self._events[-1]["result"])

    def failed(self, error: BaseException) -> None:
        """Write what there is of a run whose panel failed; of another failure there is nothing to tell."""
        if isinstance(error, PanelFailed):
            self._write(failed_run(error))

    def _write(self, run: dict[str, Any]) -> int:
        from fusion_tool.report import to_html

        try:
            self._path.write_text(to_html(run, self._events), "utf-8", newline="\n")
        except Exception as error:  # noqa: BLE001 - the answer is out, and no page may take it back
            report(f"--report: {error}")
            return UNEXPECTED
        if not self._quiet:
            sys.stderr.write(f"Report: {self._path}\n")
        return 0


def _try_out(path: Path) -> None:
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", field="--report") from error
    if is_new:
        path.unlink()
