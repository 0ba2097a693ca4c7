"""`fusion-tool ask`: its options. Their meaning is in `cli.config_options`, the run itself in `cli.ask_run`."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.commands import options
from fusion_tool.cli.commands.options import LIMITS, PANEL, QUESTION_HELP, QUESTION_METAVAR, TOOLS
from fusion_tool.cli.errors import Verbosity

_KEEPING, _OUTPUT = "Keeping", "Output"


def ask(  # noqa: PLR0913 - each is an option of the command line
    # Optional here alone: a resumed run has its question.
    question: Annotated[str | None, typer.Argument(metavar=QUESTION_METAVAR, help=QUESTION_HELP)] = None,
    *,
    preset: options.Preset = None,
    config: options.Config = None,
    model: options.Model = None,
    judge: options.Judge = None,
    synthesizer: options.Synthesizer = None,
    strategy: options.Strategy = None,
    quality: options.Quality = None,
    privacy: options.Privacy = None,
    deny: options.Deny = None,
    open_weights: options.OpenWeights = False,
    follow_up: Annotated[
        bool, typer.Option("--follow-up", help="Ask once more about what is disputed.", rich_help_panel=PANEL)
    ] = False,
    verify: options.Verify = False,
    hedge: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Ask a slow seat's fallback too, with at most this share of extra calls.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    docs: options.Docs = None,
    context: options.Context = "",
    instructions: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="How the answer shall be written: language, tone, length.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER",
            help="duckduckgo, searxng, tavily, exa or brave; repeated ones are asked in order.",
            rich_help_panel=TOOLS,
        ),
    ] = None,
    no_search: options.NoSearch = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="Keep this site out as well; repeat it.", rich_help_panel=TOOLS),
    ] = None,
    bash: options.Bash = None,
    max_usd: options.MaxUsd = None,
    max_tokens: options.MaxTokens = None,
    allow_unpriced: options.AllowUnpriced = False,
    max_seconds: options.MaxSeconds = None,
    quorum: Annotated[
        int | None, typer.Option(metavar="N", help="Close the panel after N answers.", rich_help_panel=LIMITS)
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time for late seats after the quorum.", rich_help_panel=LIMITS),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_ID",
            help="Instead of a question: finish this run, as it was set up, without paying twice for what is done.",
            rich_help_panel=_KEEPING,
        ),
    ] = None,
    continues: Annotated[
        str | None,
        typer.Option(
            "--continue",
            metavar="RUN_ID",
            help="Go on from this run's answer, its sources and what it left open.",
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
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="In this file too: the answer (.md), the result (.json), or the run as a page (.html); repeat it.",
            rich_help_panel=_OUTPUT,
        ),
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
    from fusion_tool.cli.terminal import clean_text

    # By hand: Click knows no options that exclude each other.
    if question is None and continues is not None and resume is None:
        raise typer.BadParameter("goes on with a question; give one", param_hint="--continue")
    if question is None and resume is None:
        raise typer.BadParameter(
            "give one, '-' to read it from standard input, or a run with --resume", param_hint="QUESTION"
        )
    if resume is not None and (question is not None or context or continues or no_keep):
        raise typer.BadParameter("a resumed run has its question and context, and is kept", param_hint="--resume")
    if as_json and events:
        raise typer.BadParameter("choose one of --json and --events", param_hint="--json")
    if search and no_search:
        raise typer.BadParameter("choose one of --search and --no-search", param_hint="--search")
    config_options = ConfigOptions(
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
        verify=verify,
        cache=cache,
        hedge=hedge,
        documents=tuple(docs or ()),
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
        instructions=None if instructions is None else clean_text(instructions),
    )
    shown = OutputOptions(
        as_json=as_json, events=events, quiet=quiet, debug=debug, verbosity=verbose, paths=tuple(output or ())
    )
    raise typer.Exit(run_ask(AskRequest(question, context, resume, continues, keep=not no_keep), config_options, shown))
