"""A configuration with models taken out of it: in each role the first that may be asked, the rest as its fallbacks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from fusion_tool.config.schema import FusionConfig, Limits, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.providers import with_model


@dataclass(frozen=True)
class Rejection:
    """Why a model may not be asked.

    Args:
        field: The setting that bars it.
        reason: The reason in words, with the setting's value.
    """

    field: str
    reason: str


Admit: TypeAlias = Callable[[Panelist], Panelist | Rejection]
"""Returns the panelist as it may be called, perhaps under another name; or why it may not be."""
Replace: TypeAlias = Callable[[Panelist], Panelist | None]
"""Returns what replaces a panelist none of whose models may be called; `None` leaves the place empty."""


@dataclass(frozen=True)
class RestrictedConfig:
    """What of a configuration a run may use.

    Args:
        config: The configuration; the very same object where nothing was taken out.
        notes: What was changed and why, a line each, for the plan's reason.
    """

    config: FusionConfig
    notes: tuple[str, ...] = ()


def restrict(
    config: FusionConfig, admit: Admit, *, replace: Replace = lambda _: None, cure: str = ""
) -> RestrictedConfig:
    """Take the models that `admit` rejects out of every role of `config`, fallbacks included.

    A seat with no model left is dropped; a quorum larger than the panel shrinks with it. A judge with none left
    gives way to the panel's first seat, a synthesizer to the judge.

    Args:
        config: The configuration.
        admit: Called for each model; fallbacks come to it as panelists of their own.
        replace: Called for every role with no model left.
        cure: What to change where no seat is left, for the error.

    Raises:
        ConfigError: No seat is left; it names the setting that bars them.
    """
    work = _Restriction(admit, replace)
    panel = tuple(seat for panelist in config.panel if (seat := work.role(panelist)) is not None)
    if not panel:
        raise ConfigError(f"leaves no model on the panel: {'; '.join(work.lines())}{cure}", field=work.field)
    judge = work.role(config.judge) if config.judge else None
    if config.judge and judge is None:
        judge = _without_seat(panel[0])
        work.note(f"the panel's {judge.short_name} judges")
    writer = work.role(config.synthesizer) if config.synthesizer else None
    if config.synthesizer and writer is None:
        writer = judge or _without_seat(panel[0])
        work.note(f"{writer.short_name} writes the answer")
    if (panel, judge, writer) == (config.panel, config.judge, config.synthesizer):
        return RestrictedConfig(config)
    changed = {"panel": panel, "judge": judge, "synthesizer": writer, "limits": fit_limits(config.limits, len(panel))}
    return RestrictedConfig(config.model_copy(update=changed), tuple(work.lines()))


class _Restriction:
    """The work on one configuration, and the notes on it."""

    def __init__(self, admit: Admit, replace: Replace) -> None:
        self._admit = admit
        self._replace = replace
        self._notes: dict[str, list[str]] = {}
        self.field: str | None = None

    def role(self, panelist: Panelist) -> Panelist | None:
        reached = (self._reachable(with_model(panelist, model)) for model in (panelist.model, *panelist.fallbacks))
        kept = [model for model in reached if model is not None]
        if kept:
            names = dict.fromkeys(other.model for other in kept[1:] if other.model != kept[0].model)
            return kept[0].model_copy(update={"fallbacks": tuple(names)})
        taken = self._replace(panelist)
        if taken is not None and taken.model_name != panelist.model_name:
            self.note(f"{taken.model_name} in place of {_slug(panelist)}")
        return taken

    def _reachable(self, panelist: Panelist) -> Panelist | None:
        answer = self._admit(panelist)
        if isinstance(answer, Rejection):
            self.field = self.field or answer.field
            self.note(answer.reason, _slug(panelist))
            return None
        if answer.model != panelist.model:
            self.note(f"{_slug(panelist)} asked as {answer.model_name}")
        return answer

    def note(self, why: str, model: str | None = None) -> None:
        models = self._notes.setdefault(why, [])
        if model and model not in models:
            models.append(model)

    def lines(self) -> Iterator[str]:
        """Yield a line a reason, with the models that it is about."""
        for why, models in self._notes.items():
            yield f"{why}: {', '.join(models)}" if models else why


def fit_limits(limits: Limits, seats: int) -> Limits:
    """Return `limits` with those that count seats no higher than a panel of `seats`."""
    quorum = None if limits.quorum is None else min(limits.quorum, seats)
    return limits.model_copy(update={"quorum": quorum, "min_answers": min(limits.min_answers, seats)})


def _without_seat(panelist: Panelist) -> Panelist:
    return panelist.model_copy(update={"seat": None})


def _slug(panelist: Panelist) -> str:
    return panelist.model_name.removeprefix("openrouter:")
