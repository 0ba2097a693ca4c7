"""Casts: what the same panel's answers came to with one judge and one writer, and with others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import load_stored_config
from fusion_tool.evals.results import ArmRecord, Results
from fusion_tool.evals.scoring import score_rows
from fusion_tool.evals.shared_panels import panel_key
from fusion_tool.evals.statistics import Mean, mean_of
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.profiles import Profile, load_profiles, profile_of


@dataclass(frozen=True)
class MeasuredCast:
    """One judge and one writer over one panel.

    Args:
        arm: The arm's name.
        panel: What tells this panel from others over the same tasks.
        judge: The judge's model, as the arm names it.
        writer: The writer's, likewise.
        profiles: The `Profile.id` of both; `None` for one without a profile.
        mean: Mean over the tasks, refusals as 0.
        rejection: The reason why it is not written; `None` where it is.
    """

    arm: str
    panel: str
    judge: str
    writer: str
    profiles: tuple[str | None, str | None]
    mean: Mean
    rejection: str | None


def measure_casts(results: Results, *, min_tasks: int) -> list[MeasuredCast]:
    """Compute what each cast of the folder came to, best first, panel by panel; panels with one cast are left out.

    Args:
        results: The folder.
        min_tasks: Number of tasks below which a cast is not written.

    Raises:
        ConfigError: The profiles that are there cannot be read.
    """
    panels: dict[str, list[tuple[str, FusionConfig]]] = {}
    for name, record in results.manifest.arms.items():
        if (panel := _panel_of(record)) is not None and record.config:
            panels.setdefault(panel, []).append((name, load_stored_config(record.config)))
    profiles = load_profiles()
    casts = []
    for panel, arms in panels.items():
        if len({(config.judge_or_default.model, config.synthesizer_or_default.model) for _, config in arms}) > 1:
            measured = (
                cast
                for arm, config in arms
                for cast in _measure(results, panel, arm, config, min_tasks=min_tasks, profiles=profiles)
            )
            casts += sorted(measured, key=lambda cast: -cast.mean.value)
    return casts


def _panel_of(record: ArmRecord) -> str | None:
    """Return what tells the panel of an arm from others; `None` where it shares its answers with no other arm."""
    if record.config is None:
        return None
    config = load_stored_config(record.config)
    key = record.recorded or (None if strategy_named(config.strategy).is_single else panel_key("", config))
    return key and key[:8]


def _measure(  # noqa: PLR0913 - what one row is made of
    results: Results, panel: str, arm: str, config: FusionConfig, *, min_tasks: int, profiles: Mapping[str, Profile]
) -> Iterator[MeasuredCast]:
    scores = score_rows(results, results.arm_rows(arm))
    values = [value for score in scores.values() if (value := score.score_refusal_zero) is not None]
    if not values:
        return
    names = config.judge_or_default.model_name, config.synthesizer_or_default.model_name
    known = [profile_of(name, profiles) for name in names]
    rejection = None
    if missing := [name for name, profile in zip(names, known, strict=True) if profile is None]:
        rejection = f"no profile of {missing[0]}"
    elif known[0] == known[1]:
        rejection = "one model in both roles"
    elif len(values) < min_tasks:
        rejection = f"only {len(values)} tasks, fewer than {min_tasks}"
    judge, writer = (None if profile is None else profile.id for profile in known)
    yield MeasuredCast(arm, panel, *names, (judge, writer), mean_of(values, bounds=(0, 1)), rejection)
