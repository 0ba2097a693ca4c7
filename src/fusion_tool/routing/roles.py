"""Roles: whether one model judges, writes and has a seat. A judge tends to favour what it wrote itself."""

from collections.abc import Iterable, Sequence

from fusion_tool.config.choices import SOLO
from fusion_tool.config.presets import shipped_preset_of
from fusion_tool.config.schema import FusionConfig, Panelist


def role_warning(config: FusionConfig, at_hand: Sequence[str] = ()) -> str | None:
    """Return a warning where judge, writer and a seat are one model though others are at hand; `None` elsewhere.

    A shipped preset is none of its user's choice: `docs/presets.md` says once which of them are so, and why.

    Args:
        config: The configuration, with its roles as they will be asked.
        at_hand: Who could judge and who could write beside those of the panel; empty for nobody.
    """
    if config.strategy == SOLO or shipped_preset_of(config) is not None:
        return None  # with one seat nothing is compared
    judge, writer = config.judge_or_default, config.synthesizer_or_default
    if not same_model(judge, [writer]) or not same_model(judge, config.panel):
        return None
    others = list(dict.fromkeys(seat.model_name for seat in config.panel if bare_name(seat) != bare_name(judge)))
    if at_hand:
        could = f"{at_hand[0]} could judge and {at_hand[-1]} write"
    elif others:
        could = f"{others[0]} could judge or write"
    else:
        return None
    if len(config.panel) == 1:
        return f"{judge.model_name} has the only seat, so that nothing is compared: with a second one {could}"
    return f"{judge.model_name} judges, writes and has a seat: models tend to favour their own answers; {could}"


def bare_name(panelist: Panelist) -> str:
    """Return a model's name without what depends on the provider: its prefix, the vendor, `:free`."""
    return panelist.short_name.partition(":")[0].lower().lstrip("~")


def same_model(panelist: Panelist, others: Iterable[Panelist]) -> bool:
    """Return whether one of `others` is the panelist's model; through another endpoint it is the same model."""
    return any(bare_name(other) == bare_name(panelist) for other in others)
