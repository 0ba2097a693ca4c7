"""The doctor's findings as text."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from fusion_tool.cli import consoles
from fusion_tool.cli.checks import Check
from fusion_tool.cli.text import line

_MARKS = {True: Text("works", "green"), False: Text("no", "yellow")}


def print_findings(found: Iterable[Check]) -> None:
    """A row a check, the command that mends it below, and what the whole comes to."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    ways = []
    for check in found:
        told = Text(line(check.detail, 1000))
        if check.cure:
            told.append(f"\n-> {line(check.cure, 300)}", "bold")
        table.add_row(check.name, _MARKS[check.ok], told)
        ways += [check.name] if check.runs else []
    console = consoles.stdout()
    console.print(table)
    console.print()
    if ways:
        console.print(f"A panel can run with: {', '.join(ways)}.", style="green")
    else:
        console.print("Nothing can run yet; mend one of: OpenRouter, Ollama, local model.", style="bold yellow")
