"""`fusion-tool estimate`: the bill in advance. Nothing is asked of anybody, and no key is needed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusion_tool.config.choices import Shell, Strategy

if TYPE_CHECKING:
    from fusion_tool.budget.amounts import Amount, Estimate

_STAGES = {"judge": "judge", "synthesizer": "synthesis"}


def estimate(  # noqa: PLR0913 - each is an option of the command line
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out; - reads standard input.")],
    *,
    versus: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER:MODEL", help="Compare with asking this model alone; repeat it."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="A panel by name. Default: budget.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the preset's.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER:MODEL", help="A seat of the panel; repeat it.")
    ] = None,
    judge: Annotated[str | None, typer.Option(metavar="PROVIDER:MODEL", help="Compares the answers.")] = None,
    synthesizer: Annotated[str | None, typer.Option(metavar="PROVIDER:MODEL", help="Writes the answer.")] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="As for ask.")] = None,
    docs: Annotated[Path | None, typer.Option(metavar="DIR", help="Your texts, to be searched.")] = None,
    context: Annotated[str, typer.Option(help="What you already know.")] = "",
    no_search: Annotated[bool, typer.Option("--no-search", help="No web tools.")] = False,
    bash: Annotated[Shell | None, typer.Option(help="The sandboxed shell.")] = None,
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="As for ask.")] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", help="As for ask.")] = None,
    allow_unpriced: Annotated[bool, typer.Option("--allow-unpriced", help="As for ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The estimate as JSON.")] = False,
) -> None:
    """Show the expected and the worst bill of a question, stage by stage, before anything is spent."""
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.config.loading import DEFAULT_PRESET
    from fusion_tool.errors import ConfigError
    from fusion_tool.graph.estimate import estimate as estimated

    choices = ConfigOptions(
        preset=preset or (None if config or model else DEFAULT_PRESET),  # a price needs no key
        config=config,
        models=tuple(model or ()),
        judge=judge,
        synthesizer=synthesizer,
        strategy=strategy,
        documents=docs,
        no_search=no_search,
        bash=bash,
        usd=max_usd,
        tokens=max_tokens,
        allow_unpriced=allow_unpriced,
    )
    asked = sys.stdin.read() if question == "-" else question
    try:
        bill = estimated(choices.to_config(), asked, context=context, versus=versus or ())
    except ConfigError as error:
        raise choices.in_option_terms(error) from None
    if as_json:
        sys.stdout.write(bill.model_dump_json(indent=2) + "\n")
    else:
        _show(bill)


def _show(bill: "Estimate") -> None:
    from rich.table import Table

    from fusion_tool.budget.usage import is_search
    from fusion_tool.cli import terminal
    from fusion_tool.events import UNKNOWN, format_usd, one_line

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
    for versus in bill.versus:
        ratio = UNKNOWN if versus.ratio is None else f"{versus.ratio:.1f} times that"
        alone = f"{one_line(versus.model)} alone: {format_usd(versus.expected.usd)}"
        console.print(f"\n{alone} expected; this run: {ratio}", soft_wrap=True)
    if bill.unpriced:
        console.print(f"\nWithout a known price: {', '.join(map(one_line, bill.unpriced))}", soft_wrap=True)
    if bill.refused:
        console.print(f"\nThis run would be refused: {one_line(bill.refused, 500)}", style="yellow", soft_wrap=True)
    console.print("\nAssumed:")
    for assumption in bill.assumptions:
        console.print(f"- {assumption}", soft_wrap=True)


def _cells(amount: "Amount", more: str = "") -> tuple[str, str, str]:
    from fusion_tool.events import format_usd

    usd = format_usd(amount.usd)
    return f"{amount.input_tokens:,}", f"{amount.output_tokens:,}", usd if amount.usd is None else usd + more
