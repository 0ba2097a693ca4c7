"""What `model install` says of the model that it installed."""

from pathlib import Path

import pytest

from fusion_tool.cli import installation
from fusion_tool.errors import ConfigError
from fusion_tool.models.abilities import Abilities
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.faults import Fault
from tests.unit.cli.support import fusion

TRIALS = [
    pytest.param(Abilities(calls_tools=False, cites=True), "tiny is tried: calls no tools, cites", id="tried"),
    pytest.param(ConfigError("no memory"), "tiny is not tried, its profile has to do: no memory", id="not served"),
    pytest.param(ModelCallError(Fault("timeout", "too slow")), "its profile has to do: too slow", id="failed"),
]


@pytest.mark.parametrize(("outcome", "told"), TRIALS)
def test_it_ends_with_a_trial_that_may_fail(monkeypatch, tmp_path: Path, outcome, told):
    async def trial(name: str) -> Abilities:
        assert name == "tiny"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(installation, "install", lambda _source, **_: tmp_path / "tiny.gguf")
    monkeypatch.setattr(installation, "try_local_model", trial)
    done = fusion("model", "install", "smollm2", "--yes")
    assert done.exit_code == 0
    assert told in " ".join(done.stderr.split())
