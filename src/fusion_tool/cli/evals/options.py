"""Options that several commands of `fusion-tool eval` have."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

Tasks: TypeAlias = Annotated[
    str, typer.Argument(metavar="TASKS", help="A JSON Lines file of tasks, or the name of a published set: draco.")
]
Folder: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder, as 'eval run' makes it.")]
Arms: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        metavar="[NAME=]ARM",
        help="solo:PROVIDER:MODEL, self:PROVIDER:MODEL (twice; seats=N), panel:PRESET, panel:FILE.toml, "
        "routed[:PRESET] or replay:FILE.jsonl; then options: tools=off, judge=PROVIDER:MODEL, "
        "synthesizer=PROVIDER:MODEL, usd=LIMIT of a run. Repeat it.",
    ),
]
Judge: TypeAlias = Annotated[
    str | None, typer.Option(metavar="PROVIDER:MODEL", help="Grades by rubric; best of no arm's vendor.")
]
Passes: TypeAlias = Annotated[int, typer.Option(metavar="K", min=1, help="Verdicts a criterion.")]
Concurrency: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, max=64, help="Runs at once, and twice as many verdicts.")
]
MaxUsd: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="USD", min=0, help="What the folder may cost in all: nothing is begun that could pass it."),
]
Unpriced: TypeAlias = Annotated[
    bool, typer.Option("--allow-unpriced", help="Let models without a known price run under --max-usd.")
]
Limit: TypeAlias = Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first N tasks.")]
Seats: TypeAlias = Annotated[
    bool, typer.Option("--grade-seats", help="Grade the seats' answers too: what does the panel's answer keep?")
]
Search: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="PROVIDER", help="For every arm, as for ask; repeat it.")
]
NoSearch: TypeAlias = Annotated[bool, typer.Option("--no-search", help="No web tools for any arm.")]
Bash: TypeAlias = Annotated[
    Literal["auto", "sandbox", "off"] | None, typer.Option(help="For every arm, the sandboxed shell.")
]
MaxSeconds: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=1, help="Time for each run of every arm.")
]


def overrides(
    *, search: list[str] | None, no_search: bool, bash: str | None, max_seconds: float | None, unpriced: bool
) -> dict[str, Any]:
    """What these options change of every arm's configuration."""
    if search and no_search:
        raise typer.BadParameter("choose one of --search and --no-search", param_hint="--search")
    given: dict[str, Any] = {"search": {"providers": search}} if search else {}
    given |= {"search": None} if no_search else {}
    given |= {} if bash is None else {"bash": bash}
    given |= {} if max_seconds is None else {"limits": {"seconds": max_seconds}}
    return given | ({"allow_unpriced": True} if unpriced else {})
