"""One question from the command line: its configuration, index, run, output and file, and its end, whatever that is."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from fusion_tool.cli import terminal
from fusion_tool.cli.config_options import ConfigOptions
from fusion_tool.cli.errors import InterruptError, exit_status, log_to_stderr, print_error
from fusion_tool.cli.output import SHORT_ID, AnswerOutput, EventsOutput, JsonOutput, Output, print_report
from fusion_tool.cli.output_file import OutputFile
from fusion_tool.cli.progress import show_progress
from fusion_tool.cli.run_view import RunView
from fusion_tool.cli.signals import run_until_signal
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, FusionError, PanelFailed
from fusion_tool.events import format_cost
from fusion_tool.graph.result import FusionResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


async def index(paths: Sequence[Path], console: Console, *, quiet: bool) -> None:
    """Bring the index of `paths` up to date, and print which documents were left out.

    Args:
        paths: The folders and files of the user's documents.
        console: The console of stderr.
        quiet: Whether nothing is printed.

    Raises:
        ConfigError: A path cannot be read.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fusion_tool.tools.documents.index import open_index

    # A run would index, too, but in silence: the first index of a large folder takes minutes.
    columns = TextColumn("indexing documents"), BarColumn(), MofNCompleteColumn()
    progress, is_shown = Progress(*columns, console=console, transient=True), console.is_terminal and not quiet
    bar = progress.add_task("", total=None)

    def describe() -> str:
        return f"indexing documents: {progress.tasks[0].completed:.0f} of {progress.tasks[0].total or 0:.0f}"

    # Not disabled where it is not shown: older versions of rich end such a bar by an empty line.
    unseen = nullcontext() if quiet else terminal.signs_of_life(console, describe)
    with progress if is_shown else unseen:
        document_index = await open_index(
            paths, on_progress=lambda count, total: progress.update(bar, completed=count, total=total)
        )
    # Where none of them can be read, the run ends at once, with the reasons in its error.
    if not document_index.document_count or quiet:
        return
    for skipped in document_index.skipped[:_MAX_TOLD]:
        console.print(f"left out: {skipped.path}: {skipped.reason}", style="yellow", soft_wrap=True)
    if (others := len(document_index.skipped) - _MAX_TOLD) > 0:
        console.print(f"left out: {others} more; --json names them all", style="yellow", soft_wrap=True)


_MAX_TOLD = 20  # a folder of thousands of broken files must not push the answer off the screen


_SMALLEST = (
    "This model shows the machinery, not the quality: it has 135 million parameters and misattributes. Read the "
    "verdict beside each citation, and trust no answer of it; 'fusion-tool model install qwen' brings one that reads."
)
_LOCAL = "Models of this size err, and copies of one err together: read the verdict beside each citation."


@dataclass(frozen=True)
class AskRequest:
    """What `ask` is to do: answer a question, or finish a kept run.

    Args:
        question: The question; `None` where a run is resumed.
        context: What the user already knows.
        resume: The id of the run to finish; `None` for a new one.
        continues: The id of the run to go on from, or its beginning; `None` begins anew.
        keep: Whether the run is kept.
    """

    question: str | None
    context: str = ""
    resume: str | None = None
    continues: str | None = None
    keep: bool = True


@dataclass(frozen=True)
class OutputOptions:
    """How a run is shown.

    Args:
        as_json: The result as JSON on stdout.
        events: Each event as a line of JSON on stdout.
        quiet: Nothing on stderr but errors, and what a run that failed has spent.
        debug: The traceback of an error.
        verbosity: How much of the log goes to stderr: 0 warnings, 1 information, 2 all.
        paths: The files of the run.
    """

    as_json: bool = False
    events: bool = False
    quiet: bool = False
    debug: bool = False
    verbosity: int = 0
    paths: tuple[Path, ...] = ()

    def output(self) -> Output:
        """Return the form of what goes to stdout."""
        if self.as_json:
            return JsonOutput()
        return EventsOutput() if self.events else AnswerOutput()

    def files(self, view: RunView, *, is_kept: bool) -> list[OutputFile]:
        """Return the run's files, which listen to `view`."""
        files = [OutputFile(path, quiet=self.quiet, is_kept=is_kept) for path in self.paths]
        view.listeners.extend(file.observe for file in files)
        return files


def run_ask(request: AskRequest, choices: ConfigOptions, options: OutputOptions) -> int:
    """Carry out a request, and show its progress and its end.

    Args:
        request: What is to be done.
        choices: The flags that set the configuration.
        options: How the run is shown.

    Returns:
        The exit status.
    """
    log_to_stderr(options.verbosity, quiet=options.quiet)
    output, view, files = options.output(), RunView(), list[OutputFile]()
    try:
        # First, since it may fail: nothing is paid for yet.
        files = options.files(view, is_kept=request.keep)
        config = _config_for(request, choices, quiet=options.quiet)
        arguments = _run_arguments(request, quiet=options.quiet)
        run_until_signal(_stream_run(arguments, config, options, output, view))
    except BrokenPipeError:
        raise  # the reader of stdout has left, as `head` does: Click ends quietly
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop before the user
        shown_error = choices.in_option_terms(error) if isinstance(error, ConfigError) else error
        output.fail(shown_error)
        for file in files:
            # Of a run that is complete only the output failed.
            file.fail(shown_error) if view.result is None else file.write()
        print_error(shown_error.with_traceback(error.__traceback__), debug=options.debug)
        # Silent as the run is to be, money and what brings its work back are part of the error.
        sys.stderr.writelines(f"{line}\n" for line in (_spending(error, view), _id_line(view, request, error)) if line)
        return exit_status(error)
    status = max((file.write() for file in files), default=0)
    if not options.quiet:
        sys.stderr.write(f"{_id_line(view, request)}\n")
    return status


async def _stream_run(
    call: dict[str, Any], config: FusionConfig | None, options: OutputOptions, output: Output, view: RunView
) -> None:
    from fusion_tool.api.run import astream

    console = terminal.stderr()
    notice = None if options.quiet or config is None else _local_notice(config)
    same_terminal = isinstance(output, AnswerOutput) and sys.stdout.isatty()
    last_event: Any = None
    if config is not None and config.documents is not None:
        await index(config.documents.paths, console, quiet=options.quiet)
    with show_progress(view, console, quiet=options.quiet, until_answer=same_terminal):
        question = call.pop("question", None)
        # Closed even when a signal comes, and not when the generator is collected: closing cancels the run's requests.
        async with aclosing(cast("AsyncGenerator[Any, None]", astream(question, config, **call))) as events:
            async for event in events:
                view.observe(event)
                if notice and event["type"] == "run.started":
                    console.print(notice, style="yellow", soft_wrap=True)
                if event["type"] == "run.completed":
                    last_event = event  # shown once the table is gone from the terminal
                else:
                    output.observe(event)
    output.observe(last_event)
    if isinstance(output, AnswerOutput) and not options.quiet:
        print_report(FusionResult.model_validate(last_event["result"]), console)
    # Again: by now the first one has scrolled away above the answer that it is about.
    if notice:
        console.print(notice, style="yellow", soft_wrap=True)


def _spending(error: BaseException, view: RunView) -> str | None:
    """Return a line on what a run that had begun has cost; `None` for one that was refused."""
    if view.run_id is None or view.is_cached:
        return None
    spent = view.spent
    if isinstance(error, PanelFailed) and error.usage is not None:
        spent = format_cost(error.usage["cost_usd"], error.usage["unpriced_calls"])
    return (
        f"{'interrupted' if isinstance(error, InterruptError | KeyboardInterrupt) else 'failed'} after spending {spent}"
    )


def _id_line(view: RunView, request: AskRequest, error: BaseException | None = None) -> str | None:
    """Return a line with the run's id and what it is good for; `None` where no run has begun."""
    if view.run_id is None:
        return None
    is_lost = view.result is not None and "not_kept" in view.result["degraded"]
    run_id, is_kept = view.run_id, request.keep and not view.is_cached and not is_lost
    if not is_kept:
        return f"run {run_id}, {'out of the cache' if view.is_cached else 'not kept'}"
    # Resuming changes nothing about a panel with too few answers, a limit, or a wrong setting.
    if isinstance(error, FusionError):
        return f"run {run_id}"
    if error is not None and view.result is None:
        return f"resume with: fusion-tool ask --resume {run_id}"
    short = run_id[:SHORT_ID]
    return f"run {run_id}: 'fusion-tool runs show {short}' shows it again, 'ask --continue {short}' goes on from it"


def _config_for(request: AskRequest, choices: ConfigOptions, *, quiet: bool) -> FusionConfig | None:
    """Return the run's configuration; `None` for a resumed one that keeps its own."""
    if request.resume and choices == ConfigOptions():
        return None
    if request.continues is None or choices.names_panel:
        return choices.to_config()
    from fusion_tool.api.stored_runs import read_config

    # Those whom the run was kept from must not be shown it by the next one, either.
    config = choices.to_config(base=asyncio.run(read_config(request.continues)))
    if not quiet:
        sys.stderr.write("with that run's panel; --preset, --config or --model names another\n")
    return config


def _run_arguments(request: AskRequest, *, quiet: bool) -> dict[str, Any]:
    """Return the arguments of `astream`."""
    from fusion_tool.api.stored_runs import read_result

    if request.resume is not None:
        return {"resume": request.resume}
    question, context = terminal.read_input(request.question or "", request.context, quiet=quiet)
    earlier = None if request.continues is None else asyncio.run(read_result(request.continues))
    return {"question": question, "context": context, "earlier": earlier, "keep": request.keep}


def _local_notice(config: FusionConfig) -> str | None:
    from fusion_tool.models.local.catalog import SMALLEST, local_model

    names = [name for name in (role.model_name for role in config.roles) if name.startswith("local:")]
    models = {local_model(name.removeprefix("local:")).name for name in names}
    return None if not models else _SMALLEST if SMALLEST in models else _LOCAL
