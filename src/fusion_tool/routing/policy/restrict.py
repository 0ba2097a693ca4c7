"""A configuration with models taken out of it: in each role the first that may be asked, the rest as its fallbacks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from fusion_tool.config.schema import FusionConfig, Limits, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.providers import with_model


@dataclass(frozen=True)
class Rejection:
    """The reason why a model may not be asked.

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
    """The part of a configuration that a run may use.

    Args:
        config: The configuration; the very same object where nothing was taken out.
        notes: What was changed and why, one line for each reason; they become part of the plan's reason.
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
    restriction = _Restriction(admit, replace)
    # The panel first: its seats stand in for a judge or writer who has no model left.
    panel = tuple(seat for panelist in config.panel if (seat := restriction.role(panelist)) is not None)
    if not panel:
        raise ConfigError(
            f"leaves no model on the panel: {'; '.join(restriction.lines())}{cure}", field=restriction.field
        )
    judge = restriction.role(config.judge) if config.judge else None
    if config.judge and judge is None:
        judge = _without_seat(panel[0])
        restriction.note(f"the panel's {judge.short_name} judges")
    writer = restriction.role(config.synthesizer) if config.synthesizer else None
    if config.synthesizer and writer is None:
        writer = judge or _without_seat(panel[0])
        restriction.note(f"{writer.short_name} writes the answer")
    reader = restriction.role(config.verifier) if config.verifier and config.verify is not True else config.verify
    if reader is None:
        reader = True
        restriction.note("the judge's model verifies")
    elif reader == config.verifier:
        reader = config.verify
    # The very same object: by it `decide` and the graph see that nothing was changed, and store no second one.
    if (panel, judge, writer, reader) == (config.panel, config.judge, config.synthesizer, config.verify):
        return RestrictedConfig(config)
    limits = fit_limits(config.limits, len(panel))
    changes = {"panel": panel, "judge": judge, "synthesizer": writer, "verify": reader, "limits": limits}
    return RestrictedConfig(config.model_copy(update=changes), tuple(restriction.lines()))


_NAMED = 4
"""How many models a line names."""


class _Restriction:
    """The work on one configuration, and the notes on it."""

    def __init__(self, admit: Admit, replace: Replace) -> None:
        self._admit = admit
        self._replace = replace
        self._notes: dict[str, list[str]] = {}
        self.field: str | None = None

    def role(self, panelist: Panelist) -> Panelist | None:
        """Return the panelist with the models that are left, or its replacement; `None` where there is neither."""
        models = (self._admitted(with_model(panelist, model)) for model in (panelist.model, *panelist.fallbacks))
        left = [model for model in models if model is not None]
        if left:
            # Two names may lead to one model, moved to its vendor's own API: asked again it would fail again.
            names = dict.fromkeys(other.model for other in left[1:] if other.model != left[0].model)
            return left[0].model_copy(update={"fallbacks": tuple(names)})
        replacement = self._replace(panelist)
        if replacement is not None and replacement.model_name != panelist.model_name:
            self.note(f"{replacement.model_name} in place of {_slug(panelist)}")
        return replacement

    def _admitted(self, panelist: Panelist) -> Panelist | None:
        verdict = self._admit(panelist)
        if isinstance(verdict, Rejection):
            self.field = self.field or verdict.field  # an error names one setting: the first that took a model out
            self.note(verdict.reason, _slug(panelist))
            return None
        if verdict.model != panelist.model:
            self.note(f"{_slug(panelist)} asked as {verdict.model_name}")
        return verdict

    def note(self, reason: str, model: str | None = None) -> None:
        """Add a model to the note with this reason; models with one reason share a line."""
        models = self._notes.setdefault(reason, [])
        if model and model not in models:
            models.append(model)

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason, with the models that it is about."""
        # The long lists last: a terminal shows the beginning, and what is asked is news before what is not.
        for reason, models in sorted(self._notes.items(), key=lambda note: len(note[1]) > _NAMED):
            more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
            yield f"{reason}: {', '.join(models[:_NAMED])}{more}" if models else reason


def fit_limits(limits: Limits, seats: int) -> Limits:
    """Return `limits` with those that count seats no higher than a panel of `seats`."""
    # `FusionConfig` refuses more answers than seats, and `model_copy` does not check: every such run would fail.
    quorum = None if limits.quorum is None else min(limits.quorum, seats)
    return limits.model_copy(update={"quorum": quorum, "min_answers": min(limits.min_answers, seats)})


def _without_seat(panelist: Panelist) -> Panelist:
    return panelist.model_copy(update={"seat": None})


def _slug(panelist: Panelist) -> str:
    return panelist.model_name.removeprefix("openrouter:")
