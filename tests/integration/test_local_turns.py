"""Seats of one local server: each has its time from its turn on, and runs side by side take turns."""

import asyncio

import pytest

from fusion_tool import FusionConfig, Panelist, afuse
from fusion_tool.models import turns
from fusion_tool.models.local import server
from fusion_tool.models.local.server import LocalEndpoint
from tests.scripted_server import Gate, Reply

pytestmark = pytest.mark.loopback

MODEL = "local:/models/house.gguf"


@pytest.fixture
def house(provider, monkeypatch):
    """A local model that the scripted server serves; panels of it, whose seats are told apart by their seeds."""

    async def serve(_name):
        return LocalEndpoint(provider.url, "key", {"max_input_tokens": 8192, "tool_calling": False})

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr(turns, "_queues", {})
    monkeypatch.setattr("fusion_tool.graph.preflight.check_models", lambda _roles, **_keyed: None)

    def of(*seeds, **settings):
        seats = tuple(Panelist(model=MODEL, seat=f"seat-{seed}", seed=seed) for seed in seeds)
        return FusionConfig(panel=seats, strategy="panel", search=None, bash="off", **settings)

    return of


async def test_one_seat_is_asked_after_the_other_and_a_short_run_does_not_wait_for_all_of_a_long_one(house, provider):
    gate = Gate()
    provider.otherwise(Reply("It was built in 1861.", gate=gate))
    long = asyncio.create_task(afuse("Who built the Alder mill?", house(1, 2, 3)))
    await provider.until(lambda: len(provider.requests) == 1, timeout=60)
    short = asyncio.create_task(afuse("When did the Brook harbour open?", house(7)))
    (queue,) = turns._queues.values()
    while len(queue._waiting) < 2:  # noqa: ASYNC110 - nothing tells when somebody begins to wait
        await asyncio.sleep(0)
    gate.open()
    assert [len(result.responses) for result in await asyncio.gather(long, short)] == [3, 1]
    assert provider.peak_in_flight == 1
    # Its trial is a part of the first seat's turn.
    questions = ("Who built the Alder mill?", "When did the Brook harbour open?")
    asked = [question for request in provider.requests for question in questions if question in request.prompt]
    assert tuple(asked[:2]) == questions
