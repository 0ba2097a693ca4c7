"""`fusion-tool presets`."""

from collections import Counter


def presets() -> None:
    """List the presets: what each is for, who sits on its panel, and the key that it needs."""
    from rich.table import Table

    from fusion_tool.cli import consoles
    from fusion_tool.presets import OLLAMA, preset_about, preset_names

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for name in ("preset", "what for", "panel", "judge and synthesizer", "needs"):
        table.add_column(name, overflow="fold", no_wrap=name == "preset")
    for name in preset_names():
        row = ("whatever is installed", "the largest of them", "ollama serve") if name == OLLAMA else _row(name)
        table.add_row(name, preset_about(name), *row)
    consoles.stdout().print(table)


def _row(name: str) -> tuple[str, str, str]:
    from fusion_tool.presets import preset

    config = preset(name)
    panel = [seat.model_name for seat in config.panel]
    judges = list(dict.fromkeys([config.judge_or_default.model_name, config.synthesizer_or_default.model_name]))
    return _listed(panel), _listed(judges), _needs([*panel, *judges])


def _listed(models: list[str]) -> str:
    """A model a line, without the provider, which the last column tells."""
    counts = Counter(model.partition(":")[2] for model in models)
    return "\n".join(f"{model} ({n} times)" if n > 1 else model for model, n in counts.items())


def _needs(models: list[str]) -> str:
    from fusion_tool.settings import DEFAULT_KEY

    cures = {"openrouter": DEFAULT_KEY, "local": "fusion-tool model install"}
    return ", ".join(dict.fromkeys(cures[model.partition(":")[0]] for model in models))
