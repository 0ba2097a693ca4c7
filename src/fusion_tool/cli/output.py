"""The output of a run: its answer in one of three forms on stdout, and the report of seats, bill and time on stderr."""

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
from fusion_tool.events import format_cost, format_seconds, one_line, printable
from fusion_tool.graph.result import Analysis, Citation, FusionResult, Response
from fusion_tool.grounding.support import VERDICT_LABELS, Support

VERDICTS: dict[Support, str] = {"supported": "green", "weak": "yellow", "mismatch": "bold red"}
SHORT_ID = 8
"""Digits of an id that are shown: enough to tell a month's runs apart, all but always."""


class Output(Protocol):
    """A form of what goes to stdout."""

    def observe(self, event: Any) -> None:
        """Take one event of the run."""

    def fail(self, error: BaseException) -> None:
        """Take the run's failure; its line on stderr is printed elsewhere."""


class AnswerOutput:
    """The answer and its sources; on a terminal the answer appears while it is written, else whole at the end."""

    def __init__(self) -> None:
        # Not into a pipe: a text that broke off and was replaced cannot be taken back there.
        self._live = sys.stdout.isatty()
        self._attempt, self._shown = 0, ""

    def observe(self, event: Any) -> None:
        """Write what is new."""
        if event["type"] == "synthesis.delta" and self._live:
            self._write_piece(event["text"], event["attempt"])
        elif event["type"] == "run.completed":
            result = FusionResult.model_validate(event["result"])
            # Equal where it was streamed: the pieces of the last attempt are the whole answer.
            if self._shown != result.answer:
                self._end_piece()
                sys.stdout.write(printable(result.answer))
            sys.stdout.write("\n\n")
            sys.stdout.flush()
            _print_sources(result.citations)

    def fail(self, error: BaseException) -> None:
        """End the line of an answer that broke off; the error itself goes to stderr, lest it be read as an answer."""
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
        # The piece is on the screen already, and marked instead: nothing can erase what has scrolled away.
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
        """Write the reasons of the failure."""
        _print_json(failed_run_json(error), indent=2)


class EventsOutput:
    """Each event as a line of JSON, when it happens."""

    def observe(self, event: Any) -> None:
        """Write the event."""
        _print_json(event, indent=None)

    def fail(self, error: BaseException) -> None:
        """Write nothing: no event exists for a failure, which the exit status tells."""


def _print_json(value: Any, *, indent: int | None) -> None:
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    # Python buffers a pipe by blocks: whoever follows the events would get them minutes late.
    sys.stdout.flush()


def _print_sources(citations: list[Citation]) -> None:
    console = terminal.stdout()
    console.print("Sources" if citations else "Sources: the answer cites none.")
    for citation in citations:
        # Neither shortened nor wrapped by rich: terminals make a link only of an address that is whole, on one line.
        line = Text(f"[{citation.number}] {one_line(citation.title)} - {one_line(citation.url, 2000)}  ")
        console.print(line.append(VERDICT_LABELS[citation.support], VERDICTS[citation.support]), soft_wrap=True)
        for place in citation.occurrences:
            claim = Text(f"    {VERDICT_LABELS[place.support]}: ", VERDICTS[place.support])
            console.print(claim.append(one_line(place.sentence), "default"), soft_wrap=True)
            console.print(Text(f"      source: {one_line(place.passage) or 'nothing on this'}", "dim"), soft_wrap=True)
            if read := place.verification:
                quote = f': "{one_line(read.quote)}"' if read.quote else ""
                console.print(Text(f"      {one_line(read.by, 64)} reads: {read.verdict}{quote}"), soft_wrap=True)


_STAGES = {
    "panelist": "panel",
    "judge": "judge",
    "synthesizer": "synthesis",
    "verifier": "verification",
    "trial": "trial",
}


def print_report(result: FusionResult, console: Console) -> None:
    """Print how the answer came about: seats, comparison, losses, bill and time."""
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
    answered = {(response.seat, response.model) for response in result.responses}
    for response in result.responses:
        # Of an answer that is not whole, or was written without a look, the same model has a failure too.
        faults = [
            one_line(row.message)
            for row in result.failed_models
            if (row.seat, row.model) == (response.seat, response.model)
        ]
        state = Text("answered", "yellow" if faults else "green")
        work = "; ".join([_work_line(response), *faults])
        table.add_row(one_line(response.seat), one_line(response.model), state, work)
    for failure in result.failed_models:
        if (failure.seat, failure.model) in answered:
            continue
        why = one_line(f"{failure.reason}: {failure.message}")
        table.add_row(one_line(failure.seat), one_line(failure.model), Text("failed", "red"), why)
    return table


def _work_line(response: Response) -> str:
    counts = response.audit.model_dump()
    names = {str(verdict): label for verdict, label in VERDICT_LABELS.items()} | {"unknown": "invented"}
    cited = ", ".join(f"{count} {names[verdict]}" for verdict, count in counts.items() if count)
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
    for row in analysis.unsupported_claims:
        why = f" ({one_line(row.why, 200)})" if row.why else ""
        yield Text(f"  unsupported: {one_line(row.model, 64)}: {one_line(row.claim, 400)}{why}")


def _losses(result: FusionResult) -> Iterable[str]:
    if result.degraded:
        yield f"\nDegraded (status {result.status}): {', '.join(result.degraded)}"
    if result.broken_tools:
        yield one_line(f"Tools that failed: {result.broken_tools}", 500)
    if result.invented:
        yield f"Citations of sources that were never retrieved, removed: {result.invented}"
    if result.uncited:
        yield f"Sentences that make a claim and cite no source: {len(result.uncited)}"
    if result.dropped:
        yield f"Kept out by exclusions: {result.dropped}"
    if result.documents and result.documents.skipped:
        yield f"Documents: {result.documents.indexed} read, {len(result.documents.skipped)} left out"
    if result.plan.bash.startswith("none"):
        yield one_line(f"No shell for the seats: {result.plan.bash.removeprefix('none: ')}")


def _bill(result: FusionResult) -> Table:
    table = _table("Bill", "calls", "tokens in", "tokens out", "cost", numbers=True)
    # Paid searches are rows of the seats' stage, but have no tokens that could be added to the models'.
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
    return str(len(calls)), tokens[0], tokens[1], format_cost(usage.cost_usd, usage.unpriced_calls)


def _time(result: FusionResult) -> Text:
    timing = result.timing
    stages = {
        "panel": timing.panel_seconds,
        "judge": timing.judge_seconds,
        "synthesis": timing.synthesis_seconds,
        "verification": timing.verification_seconds,
    }
    parts = [f"{name} {format_seconds(took)}" for name, took in stages.items() if took is not None]
    return Text(f"Time: {format_seconds(timing.total_seconds)}" + (f" ({', '.join(parts)})" if parts else ""))


def _table(*columns: str, numbers: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if numbers and i else "left", overflow="fold")
    return table
