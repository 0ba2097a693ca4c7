"""Two runs in one loop: the one with `health = false` leaves no trace of its models, the other does."""

import asyncio

import pytest

from fusion_tool import afuse
from fusion_tool.models.health import TRACKER
from fusion_tool.models.outcomes import Outcome, health_key
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Reply

pytestmark = pytest.mark.loopback


async def test_of_two_runs_at_once_only_the_one_with_health_records_its_calls(provider, monkeypatch):
    recorded: list[Outcome] = []
    monkeypatch.setattr(TRACKER, "record", recorded.append)
    for model in ("one", "two", "three", "four"):
        provider.reply(model, Reply("It was built in 1861."))
    provider.reply(JUDGE, Reply(verdict()))
    provider.reply(WRITER, Reply("In 1861."))
    with_health, without = panel("one", "two", health=True), panel("three", "four", health=False)
    await asyncio.gather(afuse(QUESTION, with_health), afuse(QUESTION, without))
    roles = (*with_health.panel, with_health.judge_or_default, with_health.synthesizer_or_default)
    assert sorted(outcome.model for outcome in recorded) == sorted(str(health_key(role)) for role in roles)
