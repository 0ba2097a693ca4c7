"""The options of the command line that `ask`, `estimate` and `route` share, and the form of examples in the help."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from fusion_tool.config import choices

PANEL, TOOLS, LIMITS = "Panel", "Tools and sources", "Limits"
"""The headings of the help under which options stand."""

QUESTION_METAVAR, QUESTION_HELP = "QUESTION", "What to find out; - reads standard input."


def examples(*rows: tuple[str, str]) -> str:
    """Return the examples at the end of a command's help, in rich's markup.

    Args:
        rows: What an example is for, and its command line.
    """
    # A blank line after each: typer joins the lines of one paragraph.
    return "\n\n".join(["[bold]Examples[/bold]", *(f"[dim]# {why}[/dim]\n{command}" for why, command in rows)])


def complete_preset(context: typer.Context) -> list[str]:
    """Return the presets' names, with which a shell completes an option; of a file that `--config` names, its own."""
    # Imported when a shell asks: presets bring pydantic, and the help must not wait for it.
    from fusion_tool.config.presets import built_in_names, preset_names
    from fusion_tool.config.user_file import read_config_file
    from fusion_tool.errors import ConfigError

    named = context.params.get("config")
    try:
        return list(preset_names(read_config_file(Path(named)) if named else None))
    except ConfigError:  # whatever is wrong with the user's file, a command will say; a shell would show it as a name
        return list(built_in_names())


Question: TypeAlias = Annotated[str, typer.Argument(metavar=QUESTION_METAVAR, help=QUESTION_HELP)]
Preset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="A panel by name; 'fusion-tool presets' lists them. Default: budget.",
        rich_help_panel=PANEL,
        autocompletion=complete_preset,
    ),
]
Config: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE.toml", help="Settings over the preset's.", rich_help_panel=PANEL)
]
Model: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="PROVIDER:MODEL", help="A seat of the panel; repeat it.", rich_help_panel=PANEL),
]
Judge: TypeAlias = Annotated[
    str | None, typer.Option(metavar="PROVIDER:MODEL", help="Compares the answers.", rich_help_panel=PANEL)
]
Synthesizer: TypeAlias = Annotated[
    str | None, typer.Option(metavar="PROVIDER:MODEL", help="Writes the answer.", rich_help_panel=PANEL)
]
Strategy: TypeAlias = Annotated[
    choices.Strategy | None,
    typer.Option(
        help="All seats; the first alone; two, and the rest where they disagree; one after the other until an "
        "answer is good enough; or what the question asks for.",
        rich_help_panel=PANEL,
    ),
]
Quality: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="With auto: good enough, as a share of the best.", rich_help_panel=PANEL),
]
Privacy: TypeAlias = Annotated[
    choices.Privacy | None,
    typer.Option(help="local: nothing of the question leaves this machine.", rich_help_panel=PANEL),
]
Deny: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Use no such model, as 'anthropic/*'; repeat it.", rich_help_panel=PANEL),
]
OpenWeights: TypeAlias = Annotated[
    bool, typer.Option("--open-weights", help="Only models whose weights are open.", rich_help_panel=PANEL)
]
Verify: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verify", help="Let the judge's model read each citation against its source.", rich_help_panel=PANEL
    ),
]
# Texts, not paths: an empty one would be read as the working folder.
Docs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="A folder or file of yours, to be searched; repeat it.", rich_help_panel=TOOLS),
]
Context: TypeAlias = Annotated[
    str, typer.Option(help="What you already know; or pipe it in beside the question.", rich_help_panel=TOOLS)
]
NoSearch: TypeAlias = Annotated[bool, typer.Option("--no-search", help="No web tools.", rich_help_panel=TOOLS)]
Bash: TypeAlias = Annotated[
    choices.Shell | None,
    typer.Option(help="The sandboxed shell: where it works, required, or none.", rich_help_panel=TOOLS),
]
MaxUsd: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="USD", help="No model call that could pass it is made.", rich_help_panel=LIMITS),
]
MaxTokens: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Likewise, prompts and answers together.", rich_help_panel=LIMITS)
]
AllowUnpriced: TypeAlias = Annotated[
    bool, typer.Option("--allow-unpriced", help="Let unpriced models run under --max-usd.", rich_help_panel=LIMITS)
]
MaxSeconds: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Time for the whole run.", rich_help_panel=LIMITS)
]
