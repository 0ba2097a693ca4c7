"""`fusion-tool mcp`: its options. What happens stands in `fusion_tool.servers`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusion_tool.cli.ask import _preset_names

if TYPE_CHECKING:
    from fusion_tool.config import FusionConfig
    from fusion_tool.servers.mcp_server import Options

_PANEL, _ADDRESS = "What is served", "Streamable HTTP"
_ROWS = [
    ("for a client that starts it, such as Claude Desktop", "fusion-tool mcp --preset budget"),
    ("for Claude Code and VS Code, which would show the model the JSON", "fusion-tool mcp --text-only"),
    ("for clients that connect, on http://127.0.0.1:8000/mcp", "fusion-tool mcp --http --config fusion.toml"),
    ("for other machines, which need a key", "FUSION_SERVER_KEYS=secret fusion-tool mcp --http --host 0.0.0.0"),
]
MCP_EXAMPLES = "\n\n".join(["[bold]Examples[/bold]", *(f"[dim]# {why}[/dim]\n{line}" for why, line in _ROWS)])


def mcp(  # noqa: PLR0913 - each is an option of the command line
    *,
    preset: Annotated[
        str | None,
        typer.Option(help="The panel. Default: budget.", rich_help_panel=_PANEL, autocompletion=_preset_names),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings over the preset's.", rich_help_panel=_PANEL),
    ] = None,
    text_only: Annotated[
        bool,
        typer.Option(
            "--text-only",
            help="Answer with the short text alone, not with the whole result as JSON beside it: "
            "for clients that show their model the JSON instead.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    max_runs: Annotated[
        int, typer.Option(min=1, help="Calls worked on at once; more get an error.", rich_help_panel=_PANEL)
    ] = 10,
    http: Annotated[
        bool, typer.Option("--http", help="Listen, instead of standard input and output.", rich_help_panel=_ADDRESS)
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            help="Where. Beyond this machine only with keys: FUSION_SERVER_KEYS=key1,key2.", rich_help_panel=_ADDRESS
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.", rich_help_panel=_ADDRESS)] = 8000,
) -> None:
    """Serve the panel as the tool fusion_research to MCP clients, over standard input and output or HTTP."""
    from fusion_tool.cli.choices import Choices
    from fusion_tool.extras import require

    require("mcp", "mcp")
    from fusion_tool.servers.mcp_server import Options

    chosen = Choices(preset=preset, config=config).configuration()
    _check(chosen)
    options = Options(chosen, max_runs=max_runs, is_structured=not text_only)
    if http:
        _listen(options, host, port)
    else:
        _talk(options)


def _check(config: "FusionConfig") -> None:
    """Fail now, not at the first question, where a model cannot work."""
    from fusion_tool.models.factory import check_models

    seats = [(f"panel.{index}", seat) for index, seat in enumerate(config.panel)]
    check_models([*seats, ("judge", config.judge_or_default), ("synthesizer", config.synthesizer_or_default)])


def _talk(options: "Options") -> None:
    from fusion_tool.cli.failures import Interrupted, exit_status
    from fusion_tool.cli.signals import run_until_signalled
    from fusion_tool.servers.mcp_stdio import serve_stdio

    try:
        run_until_signalled(serve_stdio(options))
    except (Interrupted, KeyboardInterrupt) as signal:  # its runs have ended
        raise typer.Exit(exit_status(signal)) from None


def _listen(options: "Options", host: str, port: int) -> None:
    from fusion_tool.cli import consoles
    from fusion_tool.servers.auth import keys_from_environment
    from fusion_tool.servers.mcp_http import serve_http

    console = consoles.stderr()
    try:
        serve_http(
            options,
            host,
            port,
            keys_from_environment(),
            on_listening=lambda url: console.print(f"listening on {url}", soft_wrap=True),
        )
    except KeyboardInterrupt:  # its runs have ended
        raise typer.Exit(130) from None
