"""`fusion-tool`: the commands, and what ends them all alike."""

import atexit
import gc
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.ask import ask
from fusion_tool.cli.commands import Commands
from fusion_tool.cli.doctor import doctor
from fusion_tool.cli.estimate import estimate
from fusion_tool.cli.evals import evals
from fusion_tool.cli.examples import ASK_EXAMPLES, EXAMPLES
from fusion_tool.cli.init import init
from fusion_tool.cli.logs import Verbosity, log_to_stderr
from fusion_tool.cli.mcp import MCP_EXAMPLES, mcp
from fusion_tool.cli.model import model
from fusion_tool.cli.models import models
from fusion_tool.cli.presets import presets
from fusion_tool.cli.route import route
from fusion_tool.cli.runs import runs
from fusion_tool.cli.serve import SERVE_EXAMPLES, serve

app = typer.Typer(
    name="fusion-tool",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A panel of language models researches your question; one grounded, cited answer comes back.",
    epilog=EXAMPLES,
)
app.command(epilog=ASK_EXAMPLES)(ask)
app.command()(estimate)
app.command()(route)
app.command()(presets)
app.command()(doctor)
app.command()(models)
app.command(epilog=SERVE_EXAMPLES)(serve)
app.command()(init)
app.command(epilog=MCP_EXAMPLES)(mcp)
app.add_typer(model)
app.add_typer(evals)
app.add_typer(runs)


def _version(asked: bool) -> None:
    if asked:
        from fusion_tool.version import version

        typer.echo(f"fusion-tool {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    verbose: Verbosity = 0,
    _debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if verbose:
        log_to_stderr(verbose)


def run() -> None:
    """The entry point of `fusion-tool`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        getattr(sys, name).reconfigure(errors="replace")  # an old encoding shows `?` instead of failing
    # Half a million objects are imported, none of them garbage: to look for it takes a quarter of a command's start.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    if not sys.warnoptions:  # Python's warnings are for programmers: a run cut short leaves coroutines unawaited
        warnings.simplefilter("ignore")
    app(prog_name="fusion-tool")
