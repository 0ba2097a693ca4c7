"""Carrying out one question: configuration, index, run, output, page, and its end whatever it is."""

import sys
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from fusion_tool.cli import terminal
from fusion_tool.cli.config_options import ConfigOptions
from fusion_tool.cli.errors import UNEXPECTED, InterruptError, exit_status, failed_run_json, log_to_stderr, print_error
from fusion_tool.cli.output import AnswerOutput, EventsOutput, JsonOutput, Output, cost, print_report
from fusion_tool.cli.progress import show_progress
from fusion_tool.cli.run_view import RunView
from fusion_tool.cli.signals import run_until_signal
from fusion_tool.config.installation import require_extra
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, FusionError, PanelFailed
from fusion_tool.graph.result import FusionResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def index(folder: Path, console: Console, *, quiet: bool) -> None:
    """Bring the index of `folder` up to date, and tell which documents were left out.

    Raises:
        ConfigError: The folder cannot be read.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fusion_tool.tools.documents.index import open_index

    columns = TextColumn("indexing documents"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        opened = await open_index(
            folder, on_progress=lambda done, total: progress.update(bar, completed=done, total=total)
        )
    for skipped in () if quiet else opened.skipped:
        console.print(f"left out: {skipped.path}: {skipped.reason}", style="yellow", soft_wrap=True)


class ReportFile:
    """The page of one run; it hears the run's events.

    Raises:
        ConfigError: The file cannot be written, or the extra `report` is not installed; nothing is paid for yet.
    """

    def __init__(self, path: Path, *, quiet: bool) -> None:
        self._path, self._quiet, self._events = path, quiet, list[Any]()
        require_extra("report")
        _try_out(path)

    def observe(self, event: Any) -> None:
        """Keep one event."""
        self._events.append(event)

    def write(self) -> int:
        """Write the page of the run that has ended, and say where it is.

        Returns:
            The exit status.
        """
        return self._write(self._events[-1]["result"])

    def fail(self, error: BaseException) -> None:
        """Write what there is of a run whose panel failed; of another failure there is nothing to tell."""
        if isinstance(error, PanelFailed):
            self._write(failed_run_json(error))

    def _write(self, run: dict[str, Any]) -> int:
        from fusion_tool.report.run import to_html

        try:
            self._path.write_text(to_html(run, self._events), "utf-8", newline="\n")
        except Exception as error:  # noqa: BLE001 - the answer is out, and no page may take it back
            print_error(f"--report: {error}")
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


_LOCAL = (
    "The embedded model shows the machinery, not the quality: it has 135 million parameters and misattributes. "
    "Read the verdict beside each citation, and trust no answer of it."
)


@dataclass(frozen=True)
class AskRequest:
    """What is to be done: a question, or a kept run to be finished."""

    question: str | None
    context: str = ""
    resume: str | None = None
    keep: bool = True


@dataclass(frozen=True)
class OutputOptions:
    """How a run is shown."""

    as_json: bool = False
    events: bool = False
    quiet: bool = False
    debug: bool = False
    verbosity: int = 0
    report: Path | None = None

    def output(self) -> Output:
        """What goes to stdout."""
        if self.as_json:
            return JsonOutput()
        return EventsOutput() if self.events else AnswerOutput()

    def page(self, view: RunView) -> ReportFile | None:
        """What goes to a file, fed by `view`."""
        if self.report is None:
            return None
        page = ReportFile(self.report, quiet=self.quiet)
        view.listeners.append(page.observe)
        return page


def run_ask(request: AskRequest, choices: ConfigOptions, options: OutputOptions) -> int:
    """Ask, show, and say how it ended.

    Returns:
        The exit status.
    """
    log_to_stderr(options.verbosity, quiet=options.quiet)
    output, view, page = options.output(), RunView(), None
    try:
        page = options.page(view)
        config = None if request.resume and choices == ConfigOptions() else choices.to_config()
        run_until_signal(_stream_run(_run_arguments(request), config, options, output, view))
    except BrokenPipeError:
        raise  # whoever read stdout has left; typer ends quietly
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop before the user
        told = choices.in_option_terms(error) if isinstance(error, ConfigError) else error
        output.fail(told)
        if page is not None:
            page.fail(told)
        print_error(told.with_traceback(error.__traceback__), debug=options.debug)
        if not options.quiet:
            sys.stderr.writelines(
                f"{line}\n" for line in (_print_spending(error, view), _resume_hint(error, request, view)) if line
            )
        return exit_status(error)
    return 0 if page is None else page.write()


async def _stream_run(
    call: dict[str, Any], config: FusionConfig | None, options: OutputOptions, output: Output, view: RunView
) -> None:
    from fusion_tool.api.run import astream

    console = terminal.stderr()
    notice = _LOCAL if not options.quiet and config is not None and _is_local(config) else None
    same_terminal = isinstance(output, AnswerOutput) and sys.stdout.isatty()
    last: Any = None
    if config is not None and config.documents is not None:
        await index(config.documents.path, console, quiet=options.quiet)
    with show_progress(view, console, quiet=options.quiet, until_answer=same_terminal):
        question = call.pop("question", None)
        async with aclosing(cast("AsyncGenerator[Any, None]", astream(question, config, **call))) as events:
            async for event in events:
                view.observe(event)
                if notice and event["type"] == "run.started":
                    console.print(notice, style="yellow", soft_wrap=True)
                if event["type"] == "run.completed":
                    last = event  # shown once the table is gone from the terminal
                else:
                    output.observe(event)
    output.observe(last)
    if isinstance(output, AnswerOutput) and not options.quiet:
        print_report(FusionResult.model_validate(last["result"]), console)
    if notice:
        console.print(notice, style="yellow", soft_wrap=True)


def _print_spending(error: BaseException, view: RunView) -> str | None:
    if isinstance(error, PanelFailed) and error.usage is not None:
        return f"spent: {cost(error.usage['cost_usd'], error.usage['unpriced_calls'])}"
    return view.spent if isinstance(error, InterruptError | KeyboardInterrupt) else None


def _resume_hint(error: BaseException, request: AskRequest, view: RunView) -> str | None:
    """How the run goes on, where it can."""
    kept = view.run_id if request.keep else None
    is_final = isinstance(error, FusionError)
    return f"resume with: fusion-tool ask --resume {kept}" if kept and not is_final else None


def _run_arguments(request: AskRequest) -> dict[str, Any]:
    """What `astream` is called with."""
    if request.resume is not None:
        return {"resume": request.resume}
    return {
        "question": terminal.read_question(request.question or ""),
        "context": terminal.clean_text(request.context),
        "keep": request.keep,
    }


def _is_local(config: FusionConfig) -> bool:
    seats = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    return any(seat.model_name.startswith("local:") for seat in seats)
