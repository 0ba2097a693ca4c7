"""Grading of a folder: whose calls are recorded."""

import pytest

from fusion_tool.evals.graders.grade import _health
from fusion_tool.models.health import TRACKER
from tests.unit.evals.folders import folder, panel, references, solo


@pytest.mark.parametrize(
    ("arms", "health"),
    [((solo(),), TRACKER), ((solo(), panel(health=False)), None), ((), TRACKER)],
)
def test_the_judges_health_is_recorded_unless_an_arm_does_without(tmp_path, arms, health):
    assert _health(folder(tmp_path / "out", references(1), *arms)) is health
