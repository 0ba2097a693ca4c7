"""What a results folder's results are of."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fusion_tool.config import Panelist
from fusion_tool.evals.arms import Arm
from fusion_tool.stored import stored
from fusion_tool.version import version

FORMAT = 1


class ArmRecord(BaseModel):
    """An arm as a folder knows it; `recorded` is the digest of its recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    config: dict[str, Any] | None
    recorded: str | None = None


class Manifest(BaseModel):
    """What a folder's results are of.

    Args:
        format: Of the folder.
        version: Of the package that made it.
        tasks: The task set's name.
        fingerprint: The task set's.
        arms: By name.
        judge: Whose verdicts count; `None` before the first grading.
        passes: How many verdicts a criterion gets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    version: str = Field(default_factory=version)
    tasks: str
    fingerprint: str
    arms: dict[str, ArmRecord] = {}
    judge: dict[str, Any] | None = None
    passes: int = 1

    @property
    def judge_model(self) -> Panelist | None:
        """The judge, ready to be asked."""
        return Panelist(**self.judge) if self.judge else None


def record_of(arm: Arm) -> ArmRecord:
    """How a folder remembers `arm`."""
    rows = json.dumps({name: row.model_dump() for name, row in sorted(arm.recorded.items())}, sort_keys=True)
    return ArmRecord(
        kind=arm.kind,
        config=stored(arm.config) if arm.config else None,
        recorded=hashlib.sha256(rows.encode()).hexdigest() if arm.recorded else None,
    )
