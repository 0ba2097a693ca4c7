"""`fusion-tool presets`: the presets to choose from."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fusion_tool.config.schema import Panelist
    from fusion_tool.config.user_file import ConfigFile


def presets(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="With the presets that this file makes.")
    ] = None,
) -> None:
    """List the presets: what each is for, who sits on its panel, and the key that it needs."""
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.config.presets import OLLAMA, preset_description, preset_names
    from fusion_tool.config.user_file import read_config_file

    file = None if config is None else read_config_file(config)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for name in ("preset", "what for", "panel", "judge and synthesizer", "needs"):
        table.add_column(name, overflow="fold", no_wrap=name == "preset")
    for name in preset_names(file):
        row = ("whatever is installed", "the largest of them", "ollama serve") if name == OLLAMA else _row(name, file)
        table.add_row(name, preset_description(name, file), *row)
    terminal.stdout().print(table)


def _row(name: str, file: "ConfigFile | None") -> tuple[str, str, str]:
    from fusion_tool.config.presets import preset
    from fusion_tool.errors import ConfigError

    try:
        config = preset(name, file)
    except ConfigError as error:  # one of the user's; the others are to be seen all the same
        return f"cannot be used: {error}", "", ""
    judges = [*dict.fromkeys(map(_line, (config.judge_or_default, config.synthesizer_or_default)))]
    return _model_lines(map(_line, config.panel)), _model_lines(judges), _needs([*config.roles])


def _line(panelist: "Panelist") -> str:
    """Return a panelist's model without its provider, which the last column implies; with a server of its own."""
    name = panelist.served_name
    return f"{name} at {urlsplit(panelist.base_url).netloc}" if panelist.base_url else name


def _model_lines(models: "Iterable[str]") -> str:
    """Return each model on a line of its own."""
    counts = Counter(models)
    return "\n".join(f"{model} ({n} times)" if n > 1 else model for model, n in counts.items())


def _need(panelist: "Panelist") -> str | None:
    """Return the key that the panelist needs, or the server where it needs none."""
    from fusion_tool.models.causes import shown_address
    from fusion_tool.models.providers import key_variable

    variable = key_variable(panelist)
    if panelist.base_url:
        return variable or f"a server at {shown_address(panelist.base_url)}"
    is_movable = variable is not None and panelist.model_name.startswith("openrouter:")
    return f"{variable}, or vendors' keys" if is_movable else variable


def _needs(panelists: list["Panelist"]) -> str:
    needs = [
        "fusion-tool model install" if panelist.model_name.startswith("local:") else _need(panelist)
        for panelist in panelists
    ]
    return ", ".join(dict.fromkeys(need for need in needs if need))
