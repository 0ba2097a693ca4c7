"""The presets that are data, as their page lists them."""

from fusion_tool.config.presets import LOCAL, OLLAMA, built_in_names, preset, preset_description
from fusion_tool.config.schema import Panelist
from tests.contracts.pages.markdown import table


def presets_table() -> str:
    """What each is for, and who asks, judges and writes; behind an arrow who stands in."""
    rows = []
    for name in built_in_names():
        if name in (LOCAL, OLLAMA):
            continue
        config = preset(name)
        panel = "<br>".join(map(_role, config.panel))
        judge, writer = config.judge_or_default, config.synthesizer_or_default
        rows.append(
            (f"`{name}`", preset_description(name), panel, _role(judge), _role(writer), str(config.max_tool_calls))
        )
    return table(("preset", "what for", "panel", "judge", "writer", "tool calls a seat"), rows)


def _role(role: Panelist) -> str:
    return " → ".join(f"`{model.removeprefix('openrouter:')}`" for model in (role.model_name, *role.fallbacks))
