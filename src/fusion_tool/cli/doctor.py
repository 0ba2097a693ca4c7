"""`fusion-tool doctor`."""

from typing import Annotated

import typer


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON on stdout.")] = False) -> None:
    """Look at what works here and name the one command that mends each thing.

    Exit status: 0 where at least one way to run exists, else 2.
    """
    import asyncio
    import json
    from dataclasses import asdict

    from fusion_tool.cli.checks import examine
    from fusion_tool.cli.failures import BAD_USAGE

    found = asyncio.run(examine())
    runs = any(check.runs for check in found)
    if as_json:
        typer.echo(json.dumps({"runs": runs, "checks": [asdict(check) for check in found]}, indent=2))
    else:
        from fusion_tool.cli.findings import print_findings

        print_findings(found)
    raise typer.Exit(0 if runs else BAD_USAGE)
