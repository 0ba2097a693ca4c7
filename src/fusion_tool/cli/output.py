"""What a run puts on stdout, and how its answer came about, for stderr."""

import json
import sys
from collections.abc import Iterable
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusion_tool.budget.usage import Call, Usage, is_search
from fusion_tool.cli import terminal
from fusion_tool.cli.errors import failed_run_json
from fusion_tool.events import format_seconds, format_usd, one_line, printable
from fusion_tool.graph.result import Analysis, Citation, FusionResult, Response
from fusion_tool.grounding.support import Support

VERDICTS: dict[Support, str] = {"supported": "green", "weak": "yellow", "mismatch": "bold red"}


class Output(Protocol):
    """One shape of stdout."""

    def observe(self, event: Any) -> None:
        """Take one event of the run."""

    def fail(self, error: BaseException) -> None:
        """Take the run's failure; the line on stderr is not this one's."""


class AnswerOutput:
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

    def fail(self, error: BaseException) -> None:
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


class JsonOutput:
    """The `FusionResult`, or the JSON of a failed run. ASCII, so that no terminal or pipe garbles it."""

    def observe(self, event: Any) -> None:
        """Write the result."""
        if event["type"] == "run.completed":
            _print_json(event["result"], indent=2)

    def fail(self, error: BaseException) -> None:
        """Write what failed."""
        _print_json(failed_run_json(error), indent=2)


class EventsOutput:
    """Each event as a line of JSON, when it happens."""

    def observe(self, event: Any) -> None:
        """Write it."""
        _print_json(event, indent=None)

    def fail(self, error: BaseException) -> None:
        """Nothing: the set of events is closed, and the exit status says it."""


def _print_json(value: Any, *, indent: int | None) -> None:
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    sys.stdout.flush()


def _print_sources(citations: list[Citation]) -> None:
    console = terminal.stdout()
    console.print("Sources" if citations else "Sources: the answer cites none.")
    for citation in citations:
        where = Text(f"[{citation.number}] {one_line(citation.title)} - {one_line(citation.url, 2000)}  ")
        console.print(where.append(citation.support, VERDICTS[citation.support]), soft_wrap=True)


_STAGES = {"panelist": "panel", "judge": "judge", "synthesizer": "synthesis"}


def print_report(result: FusionResult, console: Console) -> None:
    """Print all of it."""
    console.print()
    console.print(_seats(result))
    if result.analysis is not None:
        for text in _analysis(result.analysis):
            console.print(text)
    for loss in _losses(result):
        console.print(loss, style="yellow")
    console.print()
    console.print("from the cache: $0.0000" if result.cached else _bill(result))
    console.print(_time(result))


def _seats(result: FusionResult) -> Table:
    table = _table("Seats", "model", "state", "")
    for given in result.responses:
        table.add_row(one_line(given.seat), one_line(given.model), Text("answered", "green"), _work_line(given))
    for failed in result.failed_models:
        why = one_line(f"{failed.reason}: {failed.message}")
        table.add_row(one_line(failed.seat), one_line(failed.model), Text("failed", "red"), why)
    return table


def _work_line(response: Response) -> str:
    counts = response.audit.model_dump()
    cited = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    tools = f"{response.tool_calls} tool call{'' if response.tool_calls == 1 else 's'}"
    return f"{format_seconds(response.seconds)}, {tools}, its citations: {cited or 'none'}"


def _analysis(analysis: Analysis) -> Iterable[Text]:
    yield Text(f"\nAgreed points: {len(analysis.consensus)}; disputed: {len(analysis.contradictions) or 'none'}")
    for dispute in analysis.contradictions:
        yield Text(f"  {one_line(dispute.topic)}", "bold")
        for stance in dispute.stances:
            yield Text(f"    {one_line(stance.model, 64)}: {one_line(stance.stance, 400)}")
    for spot in analysis.blind_spots:
        yield Text(f"  not covered: {one_line(spot, 400)}", "dim")


def _losses(result: FusionResult) -> Iterable[str]:
    if result.degraded:
        yield f"\nDegraded (status {result.status}): {', '.join(result.degraded)}"
    if result.dropped:
        yield f"Kept out by exclusions: {result.dropped}"
    if result.plan.bash.startswith("none"):
        yield one_line(f"No shell for the seats: {result.plan.bash.removeprefix('none: ')}")


def _bill(result: FusionResult) -> Table:
    table = _table("Bill", "calls", "tokens in", "tokens out", "cost", numbers=True)
    searches = [call for call in result.usage.calls if is_search(call.model)]
    for stage, name in _STAGES.items():
        calls = [call for call in result.usage.calls if call.stage == stage and call not in searches]
        if calls:
            table.add_row(name, *_sums(calls))
        if stage == "panelist" and searches:
            table.add_row("searches", *_sums(searches, "-"))
    table.add_row("total", *_sums(result.usage.calls), style="bold")
    return table


def _sums(calls: list[Call], no_tokens: str = "unknown") -> tuple[str, str, str, str]:
    usage = Usage.of(calls)
    tokens = [no_tokens if count is None else f"{count:,}" for count in (usage.input_tokens, usage.output_tokens)]
    return str(len(calls)), tokens[0], tokens[1], cost(usage.cost_usd, usage.unpriced_calls)


def cost(cost_usd: float | None, unpriced: int) -> str:
    """A sum, and how many calls it leaves out."""
    left_out = f" + {unpriced} of unknown cost" if unpriced and cost_usd is not None else ""
    return format_usd(cost_usd) + left_out


def _time(result: FusionResult) -> Text:
    timing = result.timing
    stages = {"panel": timing.panel_seconds, "judge": timing.judge_seconds, "synthesis": timing.synthesis_seconds}
    parts = [f"{name} {format_seconds(took)}" for name, took in stages.items() if took is not None]
    return Text(f"Time: {format_seconds(timing.total_seconds)}" + (f" ({', '.join(parts)})" if parts else ""))


def _table(*columns: str, numbers: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if numbers and i else "left", overflow="fold")
    return table
