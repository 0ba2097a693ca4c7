"""How an answer came about, for stderr: seats, disagreements, what was lost, bill and time."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusion_tool.cli.text import dollars, line, seconds
from fusion_tool.result import Analysis, FusionResult, Response
from fusion_tool.usage import Call, Usage, is_search

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
        table.add_row(line(given.seat), line(given.model), Text("answered", "green"), _work(given))
    for failed in result.failed_models:
        why = line(f"{failed.reason}: {failed.message}")
        table.add_row(line(failed.seat), line(failed.model), Text("failed", "red"), why)
    return table


def _work(given: Response) -> str:
    counts = given.audit.model_dump()
    cited = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    tools = f"{given.tool_calls} tool call{'' if given.tool_calls == 1 else 's'}"
    return f"{seconds(given.seconds)}, {tools}, its citations: {cited or 'none'}"


def _analysis(analysis: Analysis) -> Iterable[Text]:
    yield Text(f"\nAgreed points: {len(analysis.consensus)}; disputed: {len(analysis.contradictions) or 'none'}")
    for dispute in analysis.contradictions:
        yield Text(f"  {line(dispute.topic)}", "bold")
        for one in dispute.stances:
            yield Text(f"    {line(one.model, 64)}: {line(one.stance, 400)}")
    for spot in analysis.blind_spots:
        yield Text(f"  not covered: {line(spot, 400)}", "dim")


def _losses(result: FusionResult) -> Iterable[str]:
    if result.degraded:
        yield f"\nDegraded (status {result.status}): {', '.join(result.degraded)}"
    if result.dropped:
        yield f"Kept out by exclusions: {result.dropped}"
    if result.plan.bash.startswith("none"):
        yield line(f"No shell for the seats: {result.plan.bash.removeprefix('none: ')}")


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
    return dollars(cost_usd) + left_out


def _time(result: FusionResult) -> Text:
    timing = result.timing
    stages = {"panel": timing.panel_seconds, "judge": timing.judge_seconds, "synthesis": timing.synthesis_seconds}
    parts = [f"{name} {seconds(took)}" for name, took in stages.items() if took is not None]
    return Text(f"Time: {seconds(timing.total_seconds)}" + (f" ({', '.join(parts)})" if parts else ""))


def _table(*columns: str, numbers: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if numbers and i else "left", overflow="fold")
    return table
