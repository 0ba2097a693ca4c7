"""No test of these waits: pauses between attempts are written down instead.

A data folder of the test's own, and a process that has noted nothing yet.
"""

import asyncio
import math
from pathlib import Path

import pytest

from fusion_tool.models import health
from fusion_tool.models.breaker import Breaker
from fusion_tool.models.outcomes import OutcomeRecorder, SqliteOutcomes, default_path


@pytest.fixture
def pauses(monkeypatch):
    """The seconds of each pause that would have been made."""
    made = []
    sleep = asyncio.sleep

    async def noted(seconds, result=None):
        if seconds > 0:
            made.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr(asyncio, "sleep", noted)
    return made


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder; the file of outcomes in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = default_path()
    monkeypatch.setattr(
        health.TRACKER, "_recorder", OutcomeRecorder(SqliteOutcomes(path))
    )  # its thread may outlive the test
    monkeypatch.setattr(health.TRACKER, "_breaker", Breaker())
    monkeypatch.setattr(health.TRACKER, "_loaded_at", -math.inf)
    return path
