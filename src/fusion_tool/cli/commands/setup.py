"""`fusion-tool doctor` and `fusion-tool init`: what works here, and a configuration file to begin with."""

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    *,
    verifier: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:MODEL",
            help="Instead: let this model read 30 built-in citations; is its eye better than the audit's?",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON on stdout.")] = False,
) -> None:
    """Look at what works here and name the one command that mends each thing.

    Exit status: 0 where at least one way to run exists, else 2.
    """
    if verifier is not None:
        _try_verifier(verifier, as_json=as_json)
        return
    import asyncio
    import json
    from dataclasses import asdict

    from fusion_tool.cli.doctor_checks import examine
    from fusion_tool.cli.doctor_findings import print_findings
    from fusion_tool.cli.errors import BAD_USAGE

    checks = asyncio.run(examine())
    can_run = any(check.runs for check in checks)
    if as_json:
        typer.echo(json.dumps({"runs": can_run, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print_findings(checks)
    raise typer.Exit(0 if can_run else BAD_USAGE)


def _try_verifier(model: str, *, as_json: bool) -> None:
    import asyncio
    import json

    from fusion_tool.cli.verifier_trial import print_trial, trial_as_dict, try_verifier

    trial = asyncio.run(try_verifier(model))
    if as_json:
        typer.echo(json.dumps(trial_as_dict(trial), indent=2))
    else:
        print_trial(trial)


def init(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="[PATH]", help="Default: your own file, which is read without being named."),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented configuration file that names every setting."""
    from fusion_tool.cli.config_template import template
    from fusion_tool.config.storage import config_path, make_private_folder
    from fusion_tool.config.user_file import FILE
    from fusion_tool.errors import ConfigError

    text, own = template(), config_path(FILE)
    path = path or own
    try:
        if path == own:
            make_private_folder(own.parent)
        # `x` fails where the file exists, however it came there: to look first would leave a moment between.
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists; --force replaces it, another PATH leaves it alone") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    use = "it is read from now on" if path == own else f'use it with: fusion-tool ask "..." --config {path}'
    typer.echo(f"wrote {path}; {use}", err=True)
