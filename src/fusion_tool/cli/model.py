"""`fusion-tool model`: the embedded model's weights."""

from typing import Annotated

import typer

model = typer.Typer(
    name="model",
    help="Install or list the embedded model's weights; 'models' is about how all models fared.",
    no_args_is_help=True,
)

_DEFAULT = "smollm2-135m"


@model.command()
def install(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="As 'fusion-tool model list' names it.")] = _DEFAULT,
) -> None:
    """Download the model's weights, check them, keep them. Done already, it does nothing."""
    from fusion_tool.cli import consoles
    from fusion_tool.models.install import install as install_weights

    console = consoles.stderr()
    with console.status("working"):
        install_weights(name, on_progress=console.print)


@model.command("list")
def list_() -> None:
    """List the models that can be installed, and where the installed ones lie."""
    from rich.table import Table

    from fusion_tool.cli import consoles
    from fusion_tool.models.install import MODELS, is_installed, weights_path

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "size", "state"):
        table.add_column(column, overflow="fold")
    for name, weights in MODELS.items():
        state = f"installed at {weights_path(name)}" if is_installed(name) else "not installed"
        table.add_row(f"local:{name}", f"{weights.megabytes} MB", state)
    consoles.stdout().print(table)
