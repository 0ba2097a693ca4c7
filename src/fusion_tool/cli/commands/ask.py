"""`fusion-tool ask`: its options. What they mean stands in `config_options`, what happens in `ask_run`."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.errors import Verbosity
from fusion_tool.config.choices import Privacy, Shell, Strategy

_PANEL, _TOOLS, _LIMITS, _KEEPING, _OUTPUT = "Panel", "Tools and sources", "Limits", "Keeping", "Output"


def _preset_names() -> list[str]:
    from fusion_tool.config.presets import preset_names

    return list(preset_names())


def ask(  # noqa: PLR0913 - each is an option of the command line
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="What to find out; - reads standard input.")
    ] = None,
    *,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A panel by name; 'fusion-tool presets' lists them. Default: budget.",
            rich_help_panel=_PANEL,
            autocompletion=_preset_names,
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Settings over the preset's.", rich_help_panel=_PANEL)
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER:MODEL", help="A seat of the panel; repeat it.", rich_help_panel=_PANEL),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER:MODEL", help="Compares the answers.", rich_help_panel=_PANEL),
    ] = None,
    synthesizer: Annotated[
        str | None, typer.Option(metavar="PROVIDER:MODEL", help="Writes the answer.", rich_help_panel=_PANEL)
    ] = None,
    strategy: Annotated[
        Strategy | None,
        typer.Option(
            help="All seats; the first alone; two, and the rest where they disagree; one after the other until an "
            "answer is good enough; or what the question asks for.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="With auto: good enough, as a share of the best.", rich_help_panel=_PANEL),
    ] = None,
    privacy: Annotated[
        Privacy | None,
        typer.Option(help="local: nothing of the question leaves this machine.", rich_help_panel=_PANEL),
    ] = None,
    deny: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Use no such model, as 'anthropic/*'; repeat it.", rich_help_panel=_PANEL),
    ] = None,
    open_weights: Annotated[
        bool, typer.Option("--open-weights", help="Only models whose weights are open.", rich_help_panel=_PANEL)
    ] = False,
    follow_up: Annotated[
        bool, typer.Option("--follow-up", help="Ask once more about what is disputed.", rich_help_panel=_PANEL)
    ] = False,
    hedge: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Ask a slow seat's fallback too, with at most this share of extra calls.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    docs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your texts, to be searched.", rich_help_panel=_TOOLS)
    ] = None,
    context: Annotated[str, typer.Option(help="What you already know.", rich_help_panel=_TOOLS)] = "",
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER",
            help="duckduckgo, searxng, tavily, exa or brave; repeated ones are asked in order.",
            rich_help_panel=_TOOLS,
        ),
    ] = None,
    no_search: Annotated[bool, typer.Option("--no-search", help="No web tools.", rich_help_panel=_TOOLS)] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="Keep this site out as well; repeat it.", rich_help_panel=_TOOLS),
    ] = None,
    bash: Annotated[
        Shell | None,
        typer.Option(help="The sandboxed shell: where it works, required, or none.", rich_help_panel=_TOOLS),
    ] = None,
    max_usd: Annotated[
        float | None,
        typer.Option(metavar="USD", help="No model call that could pass it is made.", rich_help_panel=_LIMITS),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", help="Likewise, prompts and answers together.", rich_help_panel=_LIMITS),
    ] = None,
    allow_unpriced: Annotated[
        bool,
        typer.Option("--allow-unpriced", help="Let unpriced models run under --max-usd.", rich_help_panel=_LIMITS),
    ] = False,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time for the whole run.", rich_help_panel=_LIMITS)
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(metavar="N", help="Close the panel after N answers.", rich_help_panel=_LIMITS)
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time for late seats after the quorum.", rich_help_panel=_LIMITS),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_ID",
            help="Instead of a question: finish this run, as it was set up, without paying twice for what is done.",
            rich_help_panel=_KEEPING,
        ),
    ] = None,
    no_keep: Annotated[
        bool,
        typer.Option(
            "--no-keep", help="Keep nothing of this run; else 'fusion-tool runs' lists it.", rich_help_panel=_KEEPING
        ),
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache", help="Give today's stored result, if there is one.", rich_help_panel=_KEEPING)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The whole result as JSON on stdout.", rich_help_panel=_OUTPUT)
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Every event as a JSON line on stdout.", rich_help_panel=_OUTPUT)
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="The run as a page in this file too.", rich_help_panel=_OUTPUT),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Nothing but the answer and its sources.", rich_help_panel=_OUTPUT)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_OUTPUT)
    ] = False,
    verbose: Verbosity = 0,
) -> None:
    """Ask a panel one question: the answer and its sources on stdout, progress and the bill on stderr."""
    from fusion_tool.cli.ask_run import AskRequest, OutputOptions, run_ask
    from fusion_tool.cli.config_options import ConfigOptions

    if (question is None) == (resume is None):
        raise typer.BadParameter("give a question, or a run with --resume", param_hint="QUESTION")
    if resume is not None and (context or no_keep):
        raise typer.BadParameter("a resumed run has its context, and is kept", param_hint="--resume")
    if as_json and events:
        raise typer.BadParameter("choose one of --json and --events", param_hint="--json")
    if search and no_search:
        raise typer.BadParameter("choose one of --search and --no-search", param_hint="--search")
    choices = ConfigOptions(
        preset=preset,
        config=config,
        models=tuple(model or ()),
        judge=judge,
        synthesizer=synthesizer,
        strategy=strategy,
        quality=quality,
        privacy=privacy,
        deny=tuple(deny or ()),
        require_open_weights=open_weights,
        follow_up=follow_up,
        cache=cache,
        hedge=hedge,
        documents=docs,
        search=tuple(search or ()),
        no_search=no_search,
        exclude=tuple(exclude or ()),
        bash=bash,
        usd=max_usd,
        tokens=max_tokens,
        allow_unpriced=allow_unpriced,
        seconds=max_seconds,
        quorum=quorum,
        grace_seconds=grace,
    )
    options = OutputOptions(as_json=as_json, events=events, quiet=quiet, debug=debug, verbosity=verbose, report=report)
    raise typer.Exit(run_ask(AskRequest(question, context, resume, keep=not no_keep), choices, options))
