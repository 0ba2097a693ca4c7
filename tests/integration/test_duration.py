"""How long a run takes where models of the user's own machines work in it: told before it begins, and its deadline."""

import pytest

from fusion_tool import FusionConfig, Limits, Panelist, astream
from fusion_tool.graph.duration import run_seconds
from fusion_tool.models import speed
from fusion_tool.models.speed import Speed
from tests.integration.panel import QUESTION, verdict
from tests.scripted_server import Reply

pytestmark = pytest.mark.loopback

SLOW = {"prompt_n": 400, "prompt_ms": 20_000, "predicted_n": 60, "predicted_ms": 10_000}
"""20 tokens of prompt and 6 of answer a second."""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(speed, "_known", {})
    monkeypatch.setattr(speed, "_recorded", {})


@pytest.fixture
def house(provider):
    """A panel of three on one server of the user's own, which measures its requests."""
    provider.otherwise(Reply("It was built in 1861.", timings=SLOW))
    provider.reply("judge", Reply(verdict(), timings=SLOW), Reply(verdict(), timings=SLOW))

    def of(limits: Limits | None = None, **settings) -> FusionConfig:
        def role(name, **more):
            return Panelist(model=name, base_url=provider.url, **more)

        seats = tuple(role("qwen3", seat=f"seat-{number}") for number in (1, 2, 3))
        base = {"panel": seats, "judge": role("judge"), "synthesizer": role("writer"), "search": None, "bash": "off"}
        return FusionConfig(**(base | settings), limits=limits or Limits())

    return of


async def plan_of(config):
    events = [event async for event in astream(QUESTION, config)]
    return next(event for event in events if event["type"] == "plan.chosen"), events[-1]["result"]


async def test_the_first_run_cannot_say_and_the_second_does(house):
    first, _ = await plan_of(house())
    second, result = await plan_of(house())
    assert first["expected_seconds"] is None
    # Three seats of 350 tokens read and 220 written, a comparison, and an answer, one after the other.
    assert second["expected_seconds"] == pytest.approx(400, rel=0.2)
    assert "limits.seconds" not in second["reason"]
    assert result["status"] == "ok"


SHORT = {
    "the run's": (Limits(seconds=60), ("limits.seconds = 60", "minutes on this machine", "raise it, or leave it out")),
    "a seat's": (Limits(seat_seconds=9), ("limits.seat_seconds = 9", "a seat needs about 55 seconds", "leave it out")),
}


@pytest.mark.parametrize(("limits", "words"), SHORT.values(), ids=SHORT)
async def test_a_deadline_that_will_not_do_is_told_beforehand_with_the_cure(house, limits, words):
    await plan_of(house())
    plan, result = await plan_of(house(limits))
    assert all(word in plan["reason"] for word in words)
    assert result["plan"]["reason"] == plan["reason"]


async def test_a_deadline_that_may_do_is_not_talked_about(house):
    await plan_of(house())
    plan, _ = await plan_of(house(Limits(seconds=1800, seat_seconds=900)))
    assert "limits" not in plan["reason"]


@pytest.mark.usefixtures("provider")
async def test_providers_are_not_timed():
    config = FusionConfig(panel=["openrouter:test/one"], search=None, bash="off")
    plan, _ = await plan_of(config)
    plan, _ = await plan_of(config)
    assert plan["expected_seconds"] is None
    assert run_seconds(config) == 180.0


DEADLINES = {
    "a provider's models": (["openrouter:test/one"], None, Limits(), lambda needed: needed == 180),
    "a fast server of one's own": (["ollama:qwen3:8b"], Speed(900, 90), Limits(), lambda needed: needed == 180),
    "a slow one": (["ollama:qwen3:8b"] * 3, Speed(20, 5), Limits(), lambda needed: 900 < needed < 3600),
    "one that was not measured": (["ollama:qwen3:8b"] * 3, None, Limits(), lambda needed: 300 < needed < 900),
    "a slow fallback": (
        [{"model": "openrouter:test/one", "fallbacks": ["ollama:qwen3:8b"]}],
        Speed(20, 5),
        Limits(),
        lambda needed: needed > 180,
    ),
    "what is set": (["ollama:qwen3:8b"] * 3, Speed(20, 5), Limits(seconds=90), lambda needed: needed == 90),
}


@pytest.mark.parametrize(("models", "measured", "limits", "fits"), DEADLINES.values(), ids=DEADLINES)
def test_the_deadline_that_nobody_set_is_what_the_work_needs(monkeypatch, models, measured, limits, fits):
    config = FusionConfig(panel=models, search=None, bash="off", limits=limits)
    monkeypatch.setattr("fusion_tool.graph.duration.known_speed", lambda _panelist: measured)
    assert fits(run_seconds(config))
