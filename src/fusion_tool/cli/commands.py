"""The group of commands: every error that reaches it becomes one line on stderr and an exit status."""

import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

from fusion_tool.cli.failures import exit_status, report


class Commands(TyperGroup):
    """A group that prints no traceback and no box, unless `--debug` is among the arguments."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of commands in plain text: loading what draws boxes would take three times as long."""
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
        given = list(sys.argv[1:] if args is None else args)
        try:
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003 - standalone mode is ours, below
        except Exception as error:  # noqa: BLE001 - the last stop before the user
            status = _ended_by(error, debug="--debug" in given)
        if not standalone_mode:
            return status
        sys.exit(status if isinstance(status, int) else 0)


def _ended_by(error: Exception, *, debug: bool) -> int:
    # By attribute: typer raises click's exceptions, or those of its own copy of click, depending on its version.
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(f"{error}\n")
        return 2
    if hasattr(error, "format_message"):
        if message := error.format_message():  # empty where help was shown for want of arguments
            context = getattr(error, "ctx", None)
            report(f"{message.rstrip('.')} (see {context.command_path if context else 'fusion-tool'} --help)")
        return int(getattr(error, "exit_code", 2))
    report(error, debug=debug)
    return exit_status(error)
