"""What a run puts on stdout: the answer and its sources, the whole result as JSON, or the events."""

import json
import sys
from typing import Any, Protocol

from rich.text import Text

from fusion_tool.cli import consoles
from fusion_tool.cli.failures import failed_run
from fusion_tool.cli.text import line, printable
from fusion_tool.result import Citation, FusionResult, Support

VERDICTS: dict[Support, str] = {"supported": "green", "weak": "yellow", "mismatch": "bold red"}


class Output(Protocol):
    """One shape of stdout."""

    def observe(self, event: Any) -> None:
        """Take one event of the run."""

    def failed(self, error: BaseException) -> None:
        """Take the run's failure; the line on stderr is not this one's."""


class Answer:
    """The answer, as it is written where somebody watches, else whole; then its sources."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._attempt, self._shown = 0, ""

    def observe(self, event: Any) -> None:
        """Write what is new."""
        if event["type"] == "synthesis.delta" and self._live:
            self._write_piece(event["text"], event["attempt"])
        elif event["type"] == "run.completed":
            result = FusionResult.model_validate(event["result"])
            if self._shown != result.answer:  # nothing was streamed, or what was is not what stands
                self._end_piece()
                sys.stdout.write(printable(result.answer))
            sys.stdout.write("\n\n")
            sys.stdout.flush()
            _print_sources(result.citations)

    def failed(self, error: BaseException) -> None:
        """Leave a cut-off answer on a line of its own; no error text poses as an answer."""
        del error
        self._end_piece()

    def _write_piece(self, text: str, attempt: int) -> None:
        if attempt != self._attempt:
            self._end_piece()
            self._attempt, self._shown = attempt, ""
        self._shown += text
        sys.stdout.write(printable(text))
        sys.stdout.flush()

    def _end_piece(self) -> None:
        if self._shown:
            sys.stdout.write("\n\n[that answer broke off; this one replaces it]\n\n")
            sys.stdout.flush()


class Json:
    """The `FusionResult`, or the JSON of a failed run. ASCII, so that no terminal or pipe garbles it."""

    def observe(self, event: Any) -> None:
        """Write the result."""
        if event["type"] == "run.completed":
            _print_json(event["result"], indent=2)

    def failed(self, error: BaseException) -> None:
        """Write what failed."""
        _print_json(failed_run(error), indent=2)


class Events:
    """Each event as a line of JSON, when it happens."""

    def observe(self, event: Any) -> None:
        """Write it."""
        _print_json(event, indent=None)

    def failed(self, error: BaseException) -> None:
        """Nothing: the set of events is closed, and the exit status says it."""


def _print_json(value: Any, *, indent: int | None) -> None:
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    sys.stdout.flush()


def _print_sources(citations: list[Citation]) -> None:
    console = consoles.stdout()
    console.print("Sources" if citations else "Sources: the answer cites none.")
    for one in citations:
        where = Text(f"[{one.number}] {line(one.title)} - {line(one.url, 2000)}  ")
        console.print(where.append(one.support, VERDICTS[one.support]), soft_wrap=True)
