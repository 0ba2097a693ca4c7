"""The application: its commands, and how each of them ends."""

import atexit
import gc
import io
import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fusion_tool.cli.commands.ask import ask
from fusion_tool.cli.commands.estimate import estimate
from fusion_tool.cli.commands.evals import evals
from fusion_tool.cli.commands.keys import keys
from fusion_tool.cli.commands.listings import presets
from fusion_tool.cli.commands.models import health, model
from fusion_tool.cli.commands.options import examples
from fusion_tool.cli.commands.route import route
from fusion_tool.cli.commands.runs import runs
from fusion_tool.cli.commands.serve import MCP_EXAMPLES, SERVE_EXAMPLES, mcp, serve
from fusion_tool.cli.commands.setup import doctor, init
from fusion_tool.cli.errors import StandardOutput, Verbosity, exit_status, log_to_stderr, print_error


class CommandGroup(TyperGroup):
    """A group that prints no traceback and no box, unless `--debug` is among the arguments."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands as plain text: loading what draws boxes would take three times as long."""
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def main(  # noqa: D102 - as the base's
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            # Without the base's standalone mode, in which typer prints errors in boxes and ends the process by itself.
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003 - standalone mode is ours, below
            with suppress(BrokenPipeError):
                sys.stdout.flush()  # here its error has still a line and a status
        except Exception as error:  # noqa: BLE001 - the last stop before the user
            # Looked up in the arguments: the error may come before any option was parsed.
            status = _exit_with(error, debug="--debug" in arguments)
        if not standalone_mode:
            return status
        sys.exit(status if isinstance(status, int) else 0)


def _exit_with(error: Any, *, debug: bool) -> int:
    """Print `error`, and return the exit status that it means."""
    # By name and attribute: typer raises click's exceptions, or those of its own copy of it, depending on its version.
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{error}\n")
        return 2
    if type(error).__name__ == "Abort":  # ctrl-C at a prompt
        error = KeyboardInterrupt()
    if hasattr(error, "format_message"):
        if possible := getattr(error, "possibilities", None):
            error.message, error.possibilities = f"{error.message}{_nearest(error.option_name, possible)}", None
        if hasattr(error, "param_hint"):  # a wrong value, whose option stands before the message
            error.message = _plain_words(error.message)
        if message := error.format_message():  # empty where the help was printed because there were no arguments
            context = getattr(error, "ctx", None)
            print_error(f"{message.rstrip('.')} (see {context.command_path if context else 'fusion-tool'} --help)")
        return int(getattr(error, "exit_code", 2))
    print_error(error, debug=debug)
    return exit_status(error)


_TYPERS_WORDS = (
    (re.compile(r".*a valid (integer|int range)\b.*"), "expected a whole number"),
    (re.compile(r".*a valid (number|float)\b.*"), "expected a number"),
    (re.compile(r".*greater than or equal to (\S+)"), r"must be at least \1"),
    (re.compile(r".*less than or equal to (\S+)"), r"must be at most \1"),
    (re.compile(r".*is not in the range (\S+)<=x<=(\S+)"), r"must be at least \1 and at most \2"),
    (re.compile(r".*is not in the range x>=(\S+)"), r"must be at least \1"),
    (re.compile(r"^Value error, "), ""),
)
"""What typer says of a wrong value, in the words of pydantic or of Click, depending on its version; and ours."""


def _plain_words(message: str) -> str:
    """Return the message without the words of programmers, and with the choice that comes nearest."""
    for theirs, ours in _TYPERS_WORDS:
        message = theirs.sub(ours, message)
    message = message.rstrip(".")
    if " is not one of " not in message:
        return message
    value, *choices = re.findall(r"'([^']*)'", message)
    return f"{message}{_nearest(value, choices)}"


def _nearest(name: str, known: Sequence[str]) -> str:
    from fusion_tool.config.words import did_you_mean  # at an error alone: its package takes a second to import

    return did_you_mean(name, known)


_ROWS = [
    ("ask a panel (needs OPENROUTER_API_KEY)", 'fusion-tool ask "Which moon has the thickest atmosphere?"'),
    ("without key or network, once", "fusion-tool model install"),
    ("then, over your own files", 'fusion-tool ask "What did it cost?" --preset local --docs notes/'),
    ("the bill before it is spent", 'fusion-tool estimate "..." --preset quality --versus openrouter:openai/gpt-5.5'),
    ("what works here, and what mends the rest", "fusion-tool doctor"),
]
_ASK_ROWS = [
    ("a preset, with a bound on time", 'fusion-tool ask "..." --preset fast --max-seconds 60'),
    ("models of your own choice", 'fusion-tool ask "..." --model ollama:qwen3:8b --model ollama:gemma3:12b'),
    ("your own files, no web", 'fusion-tool ask "..." --docs notes/ --no-search'),
    ("the question from a file, everything as JSON", "fusion-tool ask - --json < question.txt > result.json"),
    ("over a text of yours, in a file of its own", 'cat notes.md | fusion-tool ask "..." -o answer.md'),
]
_EXITS = (
    "Exit status: 0 answered, 2 wrong usage or configuration, 3 no usable answer, 4 refused by budget, "
    "130 or 143 interrupted."
)


def _unwrapped(rows: list[tuple[str, str]]) -> str:
    """Return examples for Click's plain help: a backspace before a paragraph keeps its lines from being joined."""
    return "\n\n".join(["Examples:", *(f"\b\n# {why}\n{command}" for why, command in rows)])


EXAMPLES = _unwrapped(_ROWS)
ASK_EXAMPLES = f"{examples(*_ASK_ROWS)}\n\n{_EXITS}"


app = typer.Typer(
    name="fusion-tool",
    cls=CommandGroup,
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
app.command("models", hidden=True)(health)  # as it was called before it was one of the group
app.command(epilog=SERVE_EXAMPLES)(serve)
app.command()(init)
app.command(epilog=MCP_EXAMPLES)(mcp)
app.add_typer(model)
app.add_typer(evals)
app.add_typer(runs)
app.add_typer(keys)


def _print_version(is_wanted: bool) -> None:
    # Click calls it in any case, with the option's value.
    if is_wanted:
        from fusion_tool.config.installation import version

        typer.echo(f"fusion-tool {version()}")
        raise typer.Exit


@app.callback()
def _options(
    # Eager, so that it needs no command.
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
    verbose: Verbosity = 0,
    _debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if verbose:
        log_to_stderr(verbose)


def run() -> None:
    """Run `fusion-tool` as the installed command does."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as cron and services may
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        getattr(sys, name).reconfigure(errors="replace")  # an old encoding shows `?` instead of failing
    if isinstance(out := sys.stdout, io.TextIOWrapper):
        sys.stdout = StandardOutput(
            out.buffer, out.encoding, out.errors, line_buffering=out.line_buffering, write_through=out.write_through
        )
    # Half a million objects are imported, none of them garbage: to look for it takes a quarter of a command's start.
    gc.set_threshold(100_000)
    # At the end Python collects once more: what is frozen is not looked through.
    atexit.register(gc.freeze)
    # Python's warnings are for programmers: a run that is cut short leaves coroutines that nobody awaited.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    app(prog_name="fusion-tool")
