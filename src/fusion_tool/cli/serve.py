"""`fusion-tool serve`: its options. What happens stands in `fusion_tool.servers`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fusion_tool.cli.ask import _preset_names

_PANEL, _ADDRESS, _LIMITS = "What is served", "Address and processes", "Limits"
_ROWS = [
    ("the preset budget on http://127.0.0.1:8000/v1", "fusion-tool serve"),
    (
        "your panel, and two presets as fusion-fast and fusion-quality",
        "fusion-tool serve --config fusion.toml --also fast --also quality",
    ),
    ("for other machines, which need a key", "FUSION_SERVER_KEYS=secret1,secret2 fusion-tool serve --host 0.0.0.0"),
    ("another main model for agents with tools", "fusion-tool serve --agent-model openrouter:openai/gpt-5.5"),
]
SERVE_EXAMPLES = "\n\n".join(["[bold]Examples[/bold]", *(f"[dim]# {why}[/dim]\n{line}" for why, line in _ROWS)])


def serve(  # noqa: PLR0913 - each is an option of the command line
    *,
    preset: Annotated[
        str | None,
        typer.Option(
            help="The panel behind the model 'fusion'. Default: budget.",
            rich_help_panel=_PANEL,
            autocompletion=_preset_names,
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
            autocompletion=_preset_names,
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
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.", rich_help_panel=_ADDRESS)] = 1,
    max_runs: Annotated[
        int,
        typer.Option(min=1, help="Requests worked on at once, per process; more get 429.", rich_help_panel=_LIMITS),
    ] = 50,
    drain_seconds: Annotated[
        int,
        typer.Option(min=0, help="Time that runs have to finish when the server is stopped.", rich_help_panel=_LIMITS),
    ] = 30,
) -> None:
    """Serve the panel to OpenAI's clients: POST /v1/chat/completions, GET /v1/models, /healthz, /metrics."""
    from fusion_tool.cli import consoles
    from fusion_tool.cli.choices import Choices
    from fusion_tool.config import Panelist
    from fusion_tool.extras import require

    require("server", "starlette", "uvicorn", "prometheus_client")
    from fusion_tool.servers.app import Options
    from fusion_tool.servers.auth import keys_from_environment
    from fusion_tool.servers.serving import Address
    from fusion_tool.servers.serving import serve as serve_at

    options = Options(
        config=Choices(preset=preset, config=config).configuration(),
        presets=tuple(dict.fromkeys([*([preset] if preset else []), *(also or ())])),
        agent_model=None if agent_model is None else Panelist(model=agent_model),
        max_runs=max_runs,
        progress=progress,
        keys=keys_from_environment(),
    )
    console = consoles.stderr()
    try:
        serve_at(
            options,
            Address(host, port, workers, drain_seconds),
            on_listening=lambda url: console.print(how_to_call(url, options.keys), soft_wrap=True),
        )
    except KeyboardInterrupt:  # the server has drained
        raise typer.Exit(130) from None


def how_to_call(url: str, keys: tuple[str, ...]) -> str:
    """What is printed once the server listens."""
    key = " -H 'Authorization: Bearer KEY'" if keys else ""
    body = '{"model": "fusion", "stream": true, "messages": [{"role": "user", "content": "Which ...?"}]}'
    return f"listening on {url}\ntry: curl -N {url}/chat/completions{key} -d '{body}'"
