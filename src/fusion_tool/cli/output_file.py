"""The file of a run (`-o`): its answer as Markdown, its result as JSON, or the whole run as a page, by the suffix."""

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusion_tool.cli.errors import UNEXPECTED, failed_run_json, print_error
from fusion_tool.cli.output import SHORT_ID
from fusion_tool.config.installation import require_extra
from fusion_tool.errors import ConfigError, PanelFailed
from fusion_tool.graph.result import FusionResult

_FLAG = "--output"
_SUFFIXES = (".md", ".json", ".html")


class OutputFile:
    """The file of one run, made of the run's events.

    Args:
        path: The file; its suffix says what it holds.
        quiet: Whether the file's place is not printed.
        is_kept: Whether the run is kept, from which the file can be written again.

    Raises:
        ConfigError: The suffix is unknown, the file cannot be written, or a page needs the extra `report`; nothing is
            paid for yet.
    """

    def __init__(self, path: Path, *, quiet: bool, is_kept: bool = True) -> None:
        # Through a link to its target: a link that is replaced would be one no more.
        self._path, self._quiet, self._events = path.resolve(), quiet, list[Any]()
        self._suffix, self._is_kept = path.suffix.lower(), is_kept
        if self._suffix not in _SUFFIXES:
            raise ConfigError(f"{path}: the suffix says what it shall hold; take one of {_CHOICE}", field=_FLAG)
        if self._suffix == ".html":
            require_extra("report")
        _check_writable(self._path)

    def observe(self, event: Any) -> None:
        """Keep one event."""
        self._events.append(event)

    def write(self) -> int:
        """Write the file of the run that has ended, and say where it is.

        Returns:
            The exit status.
        """
        return self._write(self._events[-1]["result"])

    def fail(self, error: BaseException) -> None:
        """Write the reasons of a panel that failed, but as no Markdown, which is to be an answer's."""
        if isinstance(error, PanelFailed) and self._suffix != ".md":
            self._write(failed_run_json(error))

    def _write(self, run: dict[str, Any]) -> int:
        try:
            replace_file(self._path, to_text(run, self._suffix, self._events))
        except Exception as error:  # noqa: BLE001 - the answer is printed, and a failed file is no reason to lose it
            why = (error.strerror if isinstance(error, OSError) else None) or error
            print_error(f"{_FLAG}: {self._path}: {why}{self._cure(run)}")
            return UNEXPECTED
        if not self._quiet:
            sys.stderr.write(f"Written: {self._path}\n")
        return 0

    def _cure(self, run: dict[str, Any]) -> str:
        if not self._is_kept or run.get("cached") or "not_kept" in run.get("degraded", ("not_kept",)):
            return ""
        return f"; 'fusion-tool runs show {run['run_id'][:SHORT_ID]} -o FILE' writes it again"


_CHOICE = f"{', '.join(_SUFFIXES[:-1])} and {_SUFFIXES[-1]}"


def to_text(run: dict[str, Any], suffix: str, events: Sequence[Any]) -> str:
    """Return a run as the text of a file with that suffix.

    Args:
        run: The result, or a failed run, as a dict.
        suffix: `.md`, `.json` or `.html`.
        events: The run's events, for the page's timeline; empty where they are gone.
    """
    match suffix:
        case ".html":
            from fusion_tool.report.run import to_html

            return to_html(run, events)
        case ".md":
            from fusion_tool.graph.result_text import to_markdown

            return to_markdown(FusionResult.model_validate(run))
    return json.dumps(run, indent=2, ensure_ascii=False) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the rights of the one that it replaces.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    # In the same folder: a file is replaced in one step only within one file system.
    part = _part_of(path)
    try:
        with part.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        if path.exists():
            part.chmod(path.stat().st_mode)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _part_of(path: Path) -> Path:
    return path.with_name(f".{uuid.uuid4().hex[:8]}.part")


def _check_writable(path: Path) -> None:
    if path.exists() and not path.is_file():  # a device or a folder, which must not be replaced
        raise ConfigError(f"{path} is no file", field=_FLAG)
    # By trying: permissions, full disks and missing folders differ too much between systems to be asked about.
    part = _part_of(path)
    try:
        part.touch(exist_ok=False)
        part.unlink()
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", field=_FLAG) from error
