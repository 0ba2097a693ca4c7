"""`fusion-tool presets`: the presets to choose from."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
    panel = [seat.model_name for seat in config.panel]
    judges = list(dict.fromkeys([config.judge_or_default.model_name, config.synthesizer_or_default.model_name]))
    return _model_lines(panel), _model_lines(judges), _needs([*config.roles])


def _model_lines(models: list[str]) -> str:
    """Return each model on a line of its own, without its provider, which the last column implies."""
    counts = Counter(model.partition(":")[2] for model in models)
    return "\n".join(f"{model} ({n} times)" if n > 1 else model for model, n in counts.items())


def _needs(panelists: list["Panelist"]) -> str:
    from fusion_tool.models.providers import key_variable

    needs = [
        "fusion-tool model install" if panelist.model_name.startswith("local:") else key_variable(panelist)
        for panelist in panelists
    ]
    return ", ".join(dict.fromkeys(need for need in needs if need))
