"""The options that several commands of `fusion-tool eval` share, and the examples of their help."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from fusion_tool.cli.commands.options import examples
from fusion_tool.config.choices import Shell

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
    int, typer.Option(metavar="N", min=1, max=1000, help="Runs at once, and twice as many verdicts.")
]
MaxUsd: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        min=0,
        max=1_000_000,
        help="What the folder may cost in all: nothing is begun that could pass it.",
    ),
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
Bash: TypeAlias = Annotated[Shell | None, typer.Option(help="For every arm, the sandboxed shell.")]
MaxSeconds: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=1, help="Time for each run of every arm.")
]


def overrides(
    *, search: list[str] | None, no_search: bool, bash: str | None, max_seconds: float | None, unpriced: bool
) -> dict[str, Any]:
    """Return what these options change of every arm's configuration."""
    if search and no_search:
        raise typer.BadParameter("choose one of --search and --no-search", param_hint="--search")
    # Only options that were used: every other setting is the arm's own.
    changes: dict[str, Any] = {"search": {"providers": search}} if search else {}
    changes |= {"search": None} if no_search else {}
    changes |= {} if bash is None else {"bash": bash}
    changes |= {} if max_seconds is None else {"limits": {"seconds": max_seconds}}
    return changes | ({"allow_unpriced": True} if unpriced else {})


_JUDGE = "--judge openrouter:google/gemini-3.1-pro-preview"
_SELF, _FLASH = "self:openrouter:anthropic/claude-opus-4.8", "openrouter:google/gemini-3-flash-preview"
_SOLO = "--arm solo:openrouter:anthropic/claude-opus-4.8"


RUN = examples(
    (
        "one model, the same twice, a panel; a judge outside of it",
        f"fusion-tool eval run tasks.jsonl {_SOLO} --arm {_SELF} --arm panel:budget {_JUDGE} --out results",
    ),
    (
        "killed, or stopped by its limit? the same command goes on",
        "fusion-tool eval run ... --out results --max-usd 20",
    ),
    (
        "two synthesizers over the same panel's answers, which are paid once",
        f"fusion-tool eval run tasks.jsonl --arm opus=panel:budget --arm flash=panel:budget,synthesizer={_FLASH} ...",
    ),
    (
        "who judges and who writes best over that panel: each with each, and what it came to",
        f"fusion-tool eval run ... --arm 'panel:budget,judge={_FLASH}|...,synthesizer=...|...' --out results",
    ),
    ("what tools bring", f"fusion-tool eval run tasks.jsonl {_SOLO} {_SOLO},tools=off ..."),
    (
        "a hosted fusion; answers recorded elsewhere",
        "--arm solo:openrouter:openrouter/fusion --arm replay:theirs.jsonl",
    ),
)
GRADE = examples(
    ("by another judge, three verdicts a criterion", f"fusion-tool eval grade results {_JUDGE} --passes 3"),
    (
        "the seats' answers too, to see what the panel's answer keeps of them",
        "fusion-tool eval grade results --grade-seats",
    ),
)
REPORT = examples(
    ("in the terminal, and as a page with pictures", "fusion-tool eval report results --html report.html"),
    ("every arm against one", "fusion-tool eval report results --against solo --markdown report.md"),
)
ESTIMATE = examples(
    ("the bill of DRACO before it is spent", f"fusion-tool eval estimate draco --arm panel:budget {_SOLO} {_JUDGE}"),
)
PROFILES = examples(
    ("let the router know what was measured here", "fusion-tool eval profiles results"),
    ("only look: what each judge with each writer came to", "fusion-tool eval profiles results --dry-run"),
)
WATCH = examples(
    (
        "from cron: silent unless a model got worse or retires",
        "fusion-tool eval watch canaries.jsonl --baseline results",
    ),
)
