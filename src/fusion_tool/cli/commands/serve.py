"""`fusion-tool serve` and `fusion-tool mcp`: their options. The servers are in `fusion_tool.servers`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fusion_tool.cli.commands.options import complete_preset, examples

if TYPE_CHECKING:
    from fusion_tool.servers.mcp.server import McpOptions

_CORS_HELP = "A web page's origin, such as https://app.example, that may ask from a browser; repeat it."
_KEEP_HELP = (
    "Keep every run for 30 days, and finish by itself what a server that was killed or stopped left unfinished; "
    "a client that leaves ends its run for good."
)
_PANEL, _ADDRESS, _RUNS = "What is served", "Address and processes", "Runs"
_ROWS = [
    ("the preset budget on http://127.0.0.1:8000/v1", "fusion-tool serve"),
    (
        "your panel, and two presets as fusion-fast and fusion-quality",
        "fusion-tool serve --config fusion.toml --also fast --also quality",
    ),
    ("for other machines, which need a key", "FUSION_SERVER_KEYS=secret1,secret2 fusion-tool serve --host 0.0.0.0"),
    ("a key a caller, each with its own models and limits", "fusion-tool serve --host 0.0.0.0 --keys keys.toml"),
    ("another main model for agents with tools", "fusion-tool serve --agent-model openrouter:openai/gpt-5.5"),
]
SERVE_EXAMPLES = examples(*_ROWS)


def serve(  # noqa: PLR0913 - each is an option of the command line
    *,
    preset: Annotated[
        str | None,
        typer.Option(
            help="The panel behind the model 'fusion'. Default: budget.",
            rich_help_panel=_PANEL,
            autocompletion=complete_preset,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings over the preset's.", rich_help_panel=_PANEL),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET",
            help="Serve this preset too, as the model fusion-PRESET; repeat it.",
            rich_help_panel=_PANEL,
            autocompletion=complete_preset,
        ),
    ] = None,
    agent_model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER:MODEL",
            help="The main model behind 'fusion-agent', which calls the client's tools and the panel. "
            "Default: the synthesizer.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    progress: Annotated[
        Literal["comments", "reasoning", "off"],
        typer.Option(
            help="How a stream tells what the panel does: in comments, which clients skip, or as reasoning.",
            rich_help_panel=_PANEL,
        ),
    ] = "comments",
    host: Annotated[
        str,
        typer.Option(
            help="Where to listen. Beyond this machine only with keys: FUSION_SERVER_KEYS=key1,key2.",
            rich_help_panel=_ADDRESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.", rich_help_panel=_ADDRESS)] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="KEYS.toml",
            help="Callers by name: the SHA-256 of each one's key, the models and limits of its runs, dollars a day.",
            rich_help_panel=_ADDRESS,
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help=_CORS_HELP, rich_help_panel=_ADDRESS)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.", rich_help_panel=_ADDRESS)] = 1,
    max_runs: Annotated[
        int,
        typer.Option(
            min=1, help="Requests worked on at once, by all workers together; more get 429.", rich_help_panel=_RUNS
        ),
    ] = 50,
    keep: Annotated[bool, typer.Option("--keep", help=_KEEP_HELP, rich_help_panel=_RUNS)] = False,
    drain_seconds: Annotated[
        int,
        typer.Option(min=0, help="Time that runs have to finish when the server is stopped.", rich_help_panel=_RUNS),
    ] = 30,
) -> None:
    """Serve the panel to OpenAI's clients: POST /v1/chat/completions, /v1/responses; GET /v1/models, /metrics."""
    from fusion_tool.cli import terminal
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.config.installation import require_extra
    from fusion_tool.config.presets import load_presets
    from fusion_tool.config.schema import Panelist
    from fusion_tool.config.user_file import read_config_file
    from fusion_tool.errors import ConfigError

    # Before the imports below, which would fail with Python's own error.
    require_extra("server")
    from fusion_tool.servers.app import Options
    from fusion_tool.servers.keys import load_callers
    from fusion_tool.servers.process import ServerAddress
    from fusion_tool.servers.process import serve as serve_at

    file = None if config is None else read_config_file(config)
    try:
        also_served = load_presets(also or (), file)
    except ConfigError as error:
        raise ConfigError(error.message, field="--also" if error.field == "preset" else error.field) from None
    options = Options(
        config=ConfigOptions(preset=preset, config=config).to_config(),
        # The preset behind `fusion` has its own name as well, so that a client can say which one it means.
        presets=load_presets([preset] if preset else [], file) | also_served,
        agent_model=None if agent_model is None else Panelist(model=agent_model),
        max_runs=max_runs,
        progress=progress,
        callers=load_callers(keys),
        origins=tuple(cors_origin or ()),
        keep=keep,
    )
    console = terminal.stderr()
    try:
        serve_at(
            options,
            ServerAddress(host, port, workers, drain_seconds),
            on_listening=lambda url: console.print(how_to_call(url, has_keys=bool(options.callers)), soft_wrap=True),
        )
    except KeyboardInterrupt:  # the server has drained
        raise typer.Exit(130) from None


def how_to_call(url: str, *, has_keys: bool) -> str:
    """Return the address of a server that listens, and a command that tries it; keys are never printed."""
    key = " -H 'Authorization: Bearer KEY'" if has_keys else ""
    body = '{"model": "fusion", "stream": true, "messages": [{"role": "user", "content": "Which ...?"}]}'
    return f"listening on {url}\ntry: curl -N {url}/chat/completions{key} -d '{body}'"


_MCP_PANEL, _MCP_ADDRESS = "What is served", "Streamable HTTP"
_MCP_ROWS = [
    ("for a client that starts it, such as Claude Desktop", "fusion-tool mcp --preset budget"),
    ("for Claude Code and VS Code, which would show the model the JSON", "fusion-tool mcp --text-only"),
    ("for clients that connect, on http://127.0.0.1:8000/mcp", "fusion-tool mcp --http --config fusion.toml"),
    ("for other machines, which need a key", "FUSION_SERVER_KEYS=secret fusion-tool mcp --http --host 0.0.0.0"),
]
MCP_EXAMPLES = examples(*_MCP_ROWS)


def mcp(  # noqa: PLR0913 - each is an option of the command line
    *,
    preset: Annotated[
        str | None,
        typer.Option(help="The panel. Default: budget.", rich_help_panel=_MCP_PANEL, autocompletion=complete_preset),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Settings over the preset's.", rich_help_panel=_MCP_PANEL),
    ] = None,
    text_only: Annotated[
        bool,
        typer.Option(
            "--text-only",
            help="Answer with the short text alone, not with the whole result as JSON beside it: "
            "for clients that show their model the JSON instead.",
            rich_help_panel=_MCP_PANEL,
        ),
    ] = False,
    max_runs: Annotated[
        int, typer.Option(min=1, help="Calls worked on at once; more get an error.", rich_help_panel=_MCP_PANEL)
    ] = 10,
    answer_within: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            metavar="SECONDS",
            help="After so many seconds give the id of a run that is still at work; the tool takes it to give the "
            "answer later, after a restart too. For clients that give up early.",
            rich_help_panel=_MCP_PANEL,
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help=_KEEP_HELP, rich_help_panel=_MCP_PANEL)] = False,
    http: Annotated[
        bool, typer.Option("--http", help="Listen, instead of standard input and output.", rich_help_panel=_MCP_ADDRESS)
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            help="Where. Beyond this machine only with keys: FUSION_SERVER_KEYS=key1,key2.",
            rich_help_panel=_MCP_ADDRESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 picks a free one.", rich_help_panel=_MCP_ADDRESS)
    ] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="KEYS.toml",
            help="Callers by name, as for 'serve'; each sees its own sessions and results alone.",
            rich_help_panel=_MCP_ADDRESS,
        ),
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help=_CORS_HELP, rich_help_panel=_MCP_ADDRESS)
    ] = None,
) -> None:
    """Serve the panel as the tool fusion_research to MCP clients, over standard input and output or HTTP."""
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.config.installation import require_extra

    require_extra("mcp")
    from fusion_tool.errors import ConfigError
    from fusion_tool.servers.checks import check_served
    from fusion_tool.servers.mcp.server import McpOptions

    for field, value in (("keys", keys), ("cors_origin", cors_origin)):
        if value and not http:
            raise ConfigError("it is for clients that connect: add --http", field=field)

    panel = ConfigOptions(preset=preset, config=config).to_config()
    check_served(panel)
    options = McpOptions(
        panel,
        max_runs=max_runs,
        is_structured=not text_only,
        answer_within=answer_within,
        keep=keep,
        origins=tuple(cors_origin or ()),
    )
    if http:
        _serve_http(options, host, port, keys)
    else:
        _serve_stdio(options)


def _serve_stdio(options: "McpOptions") -> None:
    from fusion_tool.cli.errors import InterruptError, exit_status
    from fusion_tool.cli.signals import run_until_signal
    from fusion_tool.servers.mcp.stdio import serve_stdio

    # uvicorn handles signals itself; standard input has nobody who would.
    try:
        run_until_signal(serve_stdio(options))
    except (InterruptError, KeyboardInterrupt) as signal:  # its runs have ended
        raise typer.Exit(exit_status(signal)) from None


def _serve_http(options: "McpOptions", host: str, port: int, keys: Path | None) -> None:
    from fusion_tool.cli import terminal
    from fusion_tool.servers.keys import load_callers
    from fusion_tool.servers.mcp.http import serve_http

    console = terminal.stderr()
    try:
        serve_http(
            options,
            host,
            port,
            load_callers(keys),
            on_listening=lambda url: console.print(f"listening on {url}", soft_wrap=True),
        )
    except KeyboardInterrupt:  # its runs have ended
        raise typer.Exit(130) from None
