"""What a model did when it was tried: whether it calls tools, and cites. Remembered beside a local model's weights.

A profile says what a model was made for, a window how much it can read; neither says what it does.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from fusion_tool.config.schema import Panelist
from fusion_tool.models.local.catalog import model_of, read_record, write_record

_FIELD = "abilities"


@dataclass(frozen=True)
class Abilities:
    """What a model did in its trial.

    Args:
        calls_tools: Whether it called the tool that the question needed.
        cites: Whether it cited the source that its answer rests on.
    """

    calls_tools: bool
    cites: bool

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{'calls tools' if self.calls_tools else 'calls no tools'}, {'cites' if self.cites else 'cites nothing'}"
        )


_known: dict[Path, Abilities] = {}


def known_abilities(panelist: Panelist) -> Abilities | None:
    """Return what the panelist's model did in its trial; `None` where it has had none, or its record is not loaded."""
    model = model_of(panelist)
    return _known.get(model.path) if model else None


def load_abilities(panelist: Panelist) -> None:
    """Read the record of the panelist's model, which is done once, in a thread; a record of another shape is none."""
    model = model_of(panelist)
    row = read_record(model).get(_FIELD) if model else None
    if model and isinstance(row, dict) and all(isinstance(row.get(name), bool) for name in ("calls_tools", "cites")):
        _known[model.path] = Abilities(row["calls_tools"], row["cites"])


def remember_abilities(panelist: Panelist, abilities: Abilities) -> None:
    """Write down what a local model did in its trial.

    Raises:
        OSError: The record cannot be written.
    """
    if model := model_of(panelist):
        write_record(model, {_FIELD: asdict(abilities)})
        _known[model.path] = abilities
