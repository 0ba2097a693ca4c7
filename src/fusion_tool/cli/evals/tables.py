"""A summary in the terminal."""

from typing import Literal

from rich.console import Console
from rich.table import Table

from fusion_tool.cli.text import line
from fusion_tool.evals.sheets import Sheet, sheets
from fusion_tool.evals.summary import Summary


def print_summary(summary: Summary, console: Console) -> None:
    """Print all of it."""
    for sheet in sheets(summary):
        console.print(f"\n{sheet.title}", style="bold", soft_wrap=True)
        if sheet.columns:
            console.print(_table(sheet))
        for sentence in sheet.sentences:
            console.print(f"- {line(sentence, 600)}", soft_wrap=True)


def _table(sheet: Sheet) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(sheet.columns):
        justify: Literal["left", "right"] = "right" if place else "left"
        table.add_column(line(name), justify=justify, overflow="fold")
    for row in sheet.rows:
        table.add_row(*(line(cell) for cell in row))
    return table
