"""`fusion-tool keys`: which keys there are and where each comes from, and the one way to store one."""

import sys
from typing import Annotated

import typer

keys = typer.Typer(
    name="keys",
    help="The keys of providers: list where each comes from, or store one for yourself alone. "
    "To remove one, delete its line in keys.env.",
    invoke_without_command=True,
)


def _complete_name() -> list[str]:
    from fusion_tool.config.key_names import KEY_NAMES
    from fusion_tool.config.user_file import key_names
    from fusion_tool.errors import ConfigError

    try:
        return list(key_names())
    except ConfigError:  # a shell would show what is wrong with the user's file as a name
        return list(KEY_NAMES)


@keys.callback()
def list_(context: typer.Context) -> None:
    """List the keys that are set, and where each comes from; never a key itself."""
    # Click runs the group before its commands; alone, the group is the list.
    if context.invoked_subcommand is not None:
        return
    import os

    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.config.key_file import FILE, stored_keys
    from fusion_tool.config.storage import config_path
    from fusion_tool.config.user_file import key_names

    stored, path = stored_keys(), config_path(FILE)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("key", "from"):
        table.add_column(column, overflow="fold")
    for name in key_names():
        if name in os.environ:
            also = f", which counts before {FILE}" if name in stored else ""
            table.add_row(name, f"the environment{also}")
        elif name in stored:
            table.add_row(name, str(path))
    if table.row_count:
        terminal.stdout().print(table)
    else:
        terminal.stderr().print("no key is set; store one: fusion-tool keys set OPENROUTER_API_KEY")


@keys.command("set")
def set_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As OPENROUTER_API_KEY.", autocompletion=_complete_name)],
) -> None:
    """Store a key in the configuration folder: it is asked for, or read from standard input.

    An argument would stand in the shell's history, and in the list of processes. An environment variable counts first.
    """
    import os

    from fusion_tool.cli import terminal
    from fusion_tool.config.key_file import LONGEST_KEY, check_name, store_key

    check_name(name)  # before anything is asked for
    shown = f"{name} (not shown)"
    if terminal.can_ask():
        key = typer.prompt(shown, hide_input=True, err=True)
    else:
        # No more than tells that it is too long, and as bytes: whatever is piped in may be no text.
        piped = sys.stdin.buffer.read(LONGEST_KEY + 1) if sys.stdin is not None else b""
        key = piped.decode("utf-8-sig", "replace")
    path = store_key(name, key.strip())
    typer.echo(f"stored in {path}", err=True)
    if name in os.environ:
        typer.echo(f"warning: {name} is set in the environment too, which counts first", err=True)
