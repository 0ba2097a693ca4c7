"""`fusion-tool init`."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    path: Annotated[Path, typer.Argument(metavar="[PATH]", help="The file to write.")] = Path("fusion.toml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented configuration file that names every setting."""
    from fusion_tool.cli.template import template
    from fusion_tool.errors import ConfigError

    text = template()
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists; --force replaces it, another PATH leaves it alone") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    typer.echo(f'wrote {path}; use it with: fusion-tool ask "..." --config {path}', err=True)
