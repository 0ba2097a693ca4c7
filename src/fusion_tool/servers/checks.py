"""The check of a configuration before it is served: at the start, where the operator sees it."""

import asyncio

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models
from fusion_tool.routing.decide import decide


def check_served(config: FusionConfig, name: str = "") -> FusionConfig:
    """Return the configuration with the models that its runs will ask, by the keys that are set.

    Args:
        config: The configuration.
        name: What it is in an error; empty for the configured panel.

    Raises:
        ConfigError: A model cannot work: it would else fail at the first client's request.
    """
    asked = asyncio.run(_decided(config))
    panel = [(f"panel.{index}", seat) for index, seat in enumerate(asked.panel)]
    verifier = [("verify", asked.verifier)] if asked.verifier else []
    roles = [*panel, ("judge", asked.judge_or_default), ("synthesizer", asked.synthesizer_or_default), *verifier]
    try:
        check_models(roles)
    except ConfigError as error:
        raise ConfigError(error.message, field=f"{name}.{error.field}" if name else error.field) from None
    return asked


async def reachable_model(panelist: Panelist, config: FusionConfig) -> Panelist:
    """Return a panelist of `config` as a run would ask it, by the keys that are set: at its vendor's own API, say."""
    alone = config.model_copy(update={"panel": (panelist,), "judge": panelist, "synthesizer": panelist})
    return (await _decided(alone)).panel[0]


async def _decided(config: FusionConfig) -> FusionConfig:
    # As a panel: what `auto` asks is decided by each question.
    return (await decide(config.model_copy(update={"strategy": "panel"}), "", "")).config
