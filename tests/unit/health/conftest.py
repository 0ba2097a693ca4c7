"""A data folder of the test's own, and a process that has noted nothing yet."""

from pathlib import Path

import pytest

from fusion_tool.health import Breaker, default_path, switch, watch
from fusion_tool.health.recorder import Recorder


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder; the file of outcomes in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = default_path()
    monkeypatch.setattr(watch, "_recorder", Recorder(lambda: path))  # its thread may outlive the test
    monkeypatch.setattr(watch, "_breaker", Breaker())
    watch._learnt.clear()
    switch(on=True)
    return path
