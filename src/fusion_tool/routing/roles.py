"""Roles: whether one model judges, writes and has a seat. A judge tends to favour what it wrote itself."""

from collections.abc import Iterable

from fusion_tool.config.choices import SOLO
from fusion_tool.config.presets import shipped_preset_of
from fusion_tool.config.schema import FusionConfig, Panelist


def bare_name(panelist: Panelist) -> str:
    """Return a model's name without what depends on the provider: its prefix, the vendor, `:free`."""
    return panelist.short_name.partition(":")[0].lower().lstrip("~")


def same_model(panelist: Panelist, others: Iterable[Panelist]) -> bool:
    """Return whether one of `others` is the panelist's model; through another endpoint it is the same model."""
    return any(bare_name(other) == bare_name(panelist) for other in others)


def role_warning(config: FusionConfig) -> str | None:
    """Return a warning where judge, writer and a seat are one model though the panel has others; `None` elsewhere.

    A shipped preset is none of its user's choice: `docs/presets.md` says once which of them are so, and why.
    """
    if config.strategy == SOLO or shipped_preset_of(config) is not None:
        return None  # with one seat nothing is compared
    judge, writer = config.judge_or_default, config.synthesizer_or_default
    others = list(dict.fromkeys(seat.model_name for seat in config.panel if bare_name(seat) != bare_name(judge)))
    if not others or not same_model(judge, [writer]) or not same_model(judge, config.panel):
        return None
    return (
        f"{judge.model_name} judges, writes and has a seat: models tend to favour their own answers; "
        f"{others[0]} could judge or write"
    )
