"""`fusion-tool estimate`: the bill in advance. No model is called, and no key is needed."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fusion_tool.cli.commands import options

if TYPE_CHECKING:
    from fusion_tool.budget.amounts import Amount, Estimate

_STAGES = {"judge": "judge", "synthesizer": "synthesis", "verifier": "verification", "trial": "first use"}


def estimate(  # noqa: PLR0913 - each is an option of the command line
    question: options.Question,
    *,
    versus: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER:MODEL", help="Compare with asking this model alone; repeat it."),
    ] = None,
    preset: options.Preset = None,
    config: options.Config = None,
    model: options.Model = None,
    judge: options.Judge = None,
    synthesizer: options.Synthesizer = None,
    strategy: options.Strategy = None,
    verify: options.Verify = False,
    docs: options.Docs = None,
    context: options.Context = "",
    no_search: options.NoSearch = False,
    bash: options.Bash = None,
    max_usd: options.MaxUsd = None,
    max_tokens: options.MaxTokens = None,
    allow_unpriced: options.AllowUnpriced = False,
    as_json: Annotated[bool, typer.Option("--json", help="The estimate as JSON.")] = False,
) -> None:
    """Show the expected and the worst bill of a question, stage by stage, before anything is spent."""
    from fusion_tool.cli import terminal
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.errors import ConfigError
    from fusion_tool.graph.estimate import estimate as forecast

    config_options = ConfigOptions(
        preset=preset,
        config=config,
        models=tuple(model or ()),
        judge=judge,
        synthesizer=synthesizer,
        strategy=strategy,
        verify=verify,
        documents=tuple(docs or ()),
        no_search=no_search,
        bash=bash,
        usd=max_usd,
        tokens=max_tokens,
        allow_unpriced=allow_unpriced,
    )
    text, known = terminal.read_input(question, context)
    try:
        run_config = config_options.to_config(calls_models=False)
        bill = forecast(run_config, text, context=known, versus=versus or ())
    except ConfigError as error:
        raise config_options.in_option_terms(error) from None
    if as_json:
        sys.stdout.write(json.dumps(bill.model_dump(), indent=2) + "\n")
    else:
        _show(bill)


def _show(bill: "Estimate") -> None:
    from rich.table import Table

    from fusion_tool.budget.usage import is_search
    from fusion_tool.cli import terminal
    from fusion_tool.events import format_usd, one_line

    console = terminal.stdout()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "model", "expected: in", "out", "cost", "at worst: in", "out", "cost"):
        table.add_column(column, justify="left" if column in ("", "model") else "right", overflow="fold")
    for row in bill.rows:
        if is_search(row.model):
            table.add_row(
                "searches",
                one_line(row.model),
                "",
                "",
                format_usd(row.expected.usd),
                "",
                "",
                format_usd(row.worst.usd),
            )
            continue
        name = row.seat or _STAGES[row.stage]
        table.add_row(one_line(name, 64), one_line(row.model), *_cells(row.expected), *_cells(row.worst))
    more = " + unknown" if bill.unpriced else ""
    table.add_row("total", "", *_cells(bill.expected, more), *_cells(bill.worst, more), style="bold")
    console.print(table)
    _show_remarks(bill)


def _show_remarks(bill: "Estimate") -> None:
    from fusion_tool.cli import terminal
    from fusion_tool.events import UNKNOWN, format_duration, format_usd, one_line

    console = terminal.stdout()
    for versus in bill.versus:
        ratio = UNKNOWN if versus.ratio is None else f"{versus.ratio:.1f} times that"
        alone = f"{one_line(versus.model)} alone: {format_usd(versus.expected.usd)}"
        console.print(f"\n{alone} expected; this run: {ratio}", soft_wrap=True)
    if bill.unpriced:
        console.print(f"\nWithout a known price: {', '.join(map(one_line, bill.unpriced))}", soft_wrap=True)
    if bill.seconds is not None:
        console.print(f"\nOn this machine: about {format_duration(bill.seconds)}", soft_wrap=True)
    if bill.late:
        console.print(f"\nThe deadline will not do: {one_line(bill.late, 500)}", style="yellow", soft_wrap=True)
    if bill.refused:
        console.print(f"\nThis run would be refused: {one_line(bill.refused, 500)}", style="yellow", soft_wrap=True)
    console.print("\nAssumed:")
    for assumption in bill.assumptions:
        console.print(f"- {assumption}", soft_wrap=True)
    if (other := bill.counterpart) is not None:
        bills = f"{format_usd(other.expected.usd)} expected, {format_usd(other.worst.usd)} at worst"
        console.print(f"\nThe preset {other.preset} instead: {bills}", soft_wrap=True)


def _cells(amount: "Amount", more: str = "") -> tuple[str, str, str]:
    from fusion_tool.events import format_usd

    usd = format_usd(amount.usd)
    return f"{amount.input_tokens:,}", f"{amount.output_tokens:,}", usd if amount.usd is None else usd + more
