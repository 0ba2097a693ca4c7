"""Carrying out one question: configuration, run, output, and its end whatever it is."""

import sys
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fusion_tool.cli import consoles
from fusion_tool.cli.choices import Choices
from fusion_tool.cli.failures import Interrupted, exit_status, report
from fusion_tool.cli.indexing import index
from fusion_tool.cli.logs import log_to_stderr
from fusion_tool.cli.outputs import Answer, Events, Json, Output
from fusion_tool.cli.page import Page
from fusion_tool.cli.progress import shown
from fusion_tool.cli.progress.board import Board
from fusion_tool.cli.report import cost, print_report
from fusion_tool.cli.signals import run_until_signalled
from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError, FusionError, PanelFailed
from fusion_tool.result import FusionResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_MOST_BYTES = 1 << 20
_LOCAL = (
    "The embedded model shows the machinery, not the quality: it has 135 million parameters and misattributes. "
    "Read the verdict beside each citation, and trust no answer of it."
)


@dataclass(frozen=True)
class Errand:
    """What is to be done: a question, or a kept run to be finished."""

    question: str | None
    context: str = ""
    resume: str | None = None
    keep: bool = True


@dataclass(frozen=True)
class Manner:
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
            return Json()
        return Events() if self.events else Answer()

    def page(self, board: Board) -> Page | None:
        """What goes to a file, fed by `board`."""
        if self.report is None:
            return None
        page = Page(self.report, quiet=self.quiet)
        board.listeners.append(page.observe)
        return page


def carry_out(errand: Errand, choices: Choices, manner: Manner) -> int:
    """Ask, show, and say how it ended.

    Returns:
        The exit status.
    """
    log_to_stderr(manner.verbosity, quiet=manner.quiet)
    output, board, page = manner.output(), Board(), None
    try:
        page = manner.page(board)
        config = None if errand.resume and choices == Choices() else choices.configuration()
        run_until_signalled(_ask(_told(errand), config, manner, output, board))
    except BrokenPipeError:
        raise  # whoever read stdout has left; typer ends quietly
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop before the user
        told = choices.blamed(error) if isinstance(error, ConfigError) else error
        output.failed(told)
        if page is not None:
            page.failed(told)
        report(told.with_traceback(error.__traceback__), debug=manner.debug)
        if not manner.quiet:
            sys.stderr.writelines(f"{line}\n" for line in (_spent(error, board), _cure(error, errand, board)) if line)
        return exit_status(error)
    return 0 if page is None else page.written()


async def _ask(call: dict[str, Any], config: FusionConfig | None, manner: Manner, output: Output, board: Board) -> None:
    from fusion_tool.run import astream

    console = consoles.stderr()
    notice = _LOCAL if not manner.quiet and config is not None and _is_local(config) else None
    same_terminal = isinstance(output, Answer) and sys.stdout.isatty()
    last: Any = None
    if config is not None and config.documents is not None:
        await index(config.documents.path, console, quiet=manner.quiet)
    with shown(board, console, quiet=manner.quiet, until_answer=same_terminal):
        question = call.pop("question", None)
        async with aclosing(cast("AsyncGenerator[Any, None]", astream(question, config, **call))) as events:
            async for event in events:
                board.observe(event)
                if notice and event["type"] == "run.started":
                    console.print(notice, style="yellow", soft_wrap=True)
                if event["type"] == "run.completed":
                    last = event  # shown once the table is gone from the terminal
                else:
                    output.observe(event)
    output.observe(last)
    if isinstance(output, Answer) and not manner.quiet:
        print_report(FusionResult.model_validate(last["result"]), console)
    if notice:
        console.print(notice, style="yellow", soft_wrap=True)


def _spent(error: BaseException, board: Board) -> str | None:
    if isinstance(error, PanelFailed) and error.usage is not None:
        return f"spent: {cost(error.usage['cost_usd'], error.usage['unpriced_calls'])}"
    return board.spent if isinstance(error, Interrupted | KeyboardInterrupt) else None


def _cure(error: BaseException, errand: Errand, board: Board) -> str | None:
    """How the run goes on, where it can."""
    kept = board.run_id if errand.keep else None
    is_final = isinstance(error, FusionError)
    return f"resume with: fusion-tool ask --resume {kept}" if kept and not is_final else None


def _told(errand: Errand) -> dict[str, Any]:
    """What `astream` is called with."""
    if errand.resume is not None:
        return {"resume": errand.resume}
    return {"question": _read(errand.question or ""), "context": _clean(errand.context), "keep": errand.keep}


def _read(question: str) -> str:
    if question != "-":
        return _clean(question)
    piped = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(piped) > _MOST_BYTES:
        raise ConfigError("standard input holds more than 1 MB; put material into a folder (--docs)", field="question")
    return piped.decode("utf-8", "replace")


def _clean(text: str) -> str:
    """`text` without the halves of characters that Python makes of arguments that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_local(config: FusionConfig) -> bool:
    seats = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    return any(seat.model_name.startswith("local:") for seat in seats)
