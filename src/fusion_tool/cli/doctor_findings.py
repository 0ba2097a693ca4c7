"""The findings of `doctor`, and their table."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from fusion_tool.cli import terminal
from fusion_tool.events import one_line


@dataclass(frozen=True)
class Check:
    """One finding.

    Args:
        name: What was checked.
        ok: Whether it can be used.
        detail: The finding in one line.
        cure: The command that mends it; `None` where nothing is to be mended, or `detail` names more than one way.
        runs: Whether a panel can run with it.
        tried: Whether it was used, so that `ok` is more than that it is set.
    """

    name: str
    ok: bool
    detail: str
    cure: str | None = None
    runs: bool = False
    tried: bool = True


_WORKS, _SET, _NO = Text("works", "green"), Text("set", "cyan"), Text("no", "yellow")


def print_findings(checks: Iterable[Check]) -> None:
    """Print a row for each check with the command that mends it, and what a panel can run with."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    ways = []
    for check in checks:
        text = Text(one_line(check.detail, 1000))
        if check.cure:
            text.append(f"\n-> {one_line(check.cure, 300)}", "bold")
        table.add_row(check.name, (_WORKS if check.tried else _SET) if check.ok else _NO, text)
        ways += [check.name] if check.runs else []
    console = terminal.stdout()
    console.print(table)
    console.print()
    if ways:
        console.print(f"A panel can run with: {', '.join(ways)}.", style="green")
    else:
        console.print("Nothing can run yet; mend one of: OpenRouter, Ollama, local model.", style="bold yellow")
