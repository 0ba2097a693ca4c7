"""Answers that wait, and clients that do not."""

import asyncio

import httpx
import pytest

from tests.scripted_server import Gate, Hang, Reply
from tests.unit.scripted_server.talk import PLAIN, USER

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "silence",
    [
        Hang(),
        Hang(after=2),
        Hang(keepalive=0.001),
        Reply("late", delay=60),
        Reply("late", gate=Gate()),
        Hang(Reply(gate=Gate())),
    ],
)
async def test_a_client_that_leaves_is_seen(scripted, silence, stream):
    scripted.otherwise(silence)
    async with httpx.AsyncClient(**PLAIN) as http:
        body = {"model": "vendor/a", "messages": USER, "stream": stream}
        call = asyncio.create_task(http.post(f"{scripted.url}/chat/completions", json=body, timeout=None))
        await scripted.until(lambda: scripted.in_flight == 1)
        assert scripted.disconnects == []
        call.cancel()
        await scripted.until(lambda: scripted.disconnects)
    assert [request.model for request in scripted.disconnects] == ["vendor/a"]
    assert scripted.in_flight == 0


async def test_a_client_that_leaves_between_chunks_is_seen(scripted, client):
    scripted.otherwise(Reply("one two three", chunk_size=4, chunk_delay=60))
    stream = await client.chat.completions.create(model="vendor/a", messages=USER, stream=True)
    assert (await anext(aiter(stream))).choices[0].delta.content == ""
    await stream.close()
    await scripted.until(lambda: scripted.disconnects)


def test_a_hang_after_some_events_has_said_them(scripted):
    scripted.otherwise(Hang(Reply("one two three", chunk_size=4), after=2))
    body = {"model": "m", "messages": USER, "stream": True}
    with httpx.stream("POST", f"{scripted.url}/chat/completions", json=body, **PLAIN) as response:
        lines = response.iter_lines()
        heard = [next(line for line in lines if line.startswith("data")) for _ in range(2)]
    assert '"content":"one "' in heard[1]


def test_keepalive_speaks_without_saying_anything(scripted):
    scripted.otherwise(Hang(keepalive=0.001))
    body = {"model": "m", "messages": USER, "stream": True}
    with httpx.stream("POST", f"{scripted.url}/chat/completions", json=body, **PLAIN) as response:
        lines = (line for line in response.iter_lines() if line)
        assert [next(lines) for _ in range(5)] == [": OPENROUTER PROCESSING"] * 5


async def test_a_gate_sets_the_order_of_answers(scripted):
    gate = Gate()
    scripted.reply("vendor/slow", Reply("last", gate=gate))
    order = []

    async def seat(http, model):
        await http.post(f"{scripted.url}/chat/completions", json={"model": model, "messages": USER})
        order.append(model)

    async with httpx.AsyncClient(**PLAIN) as http, asyncio.TaskGroup() as group:
        slow = group.create_task(seat(http, "vendor/slow"))
        await scripted.until(lambda: scripted.in_flight == 1)
        await seat(http, "vendor/quick")
        assert not slow.done()
        gate.open()
        gate.open()
    assert order == ["vendor/quick", "vendor/slow"]


async def test_peak_in_flight_counts_what_was_answered_at_once(scripted):
    gate = Gate()
    scripted.otherwise(Reply("x", gate=gate))
    async with httpx.AsyncClient(**PLAIN) as http, asyncio.TaskGroup() as group:
        body = {"model": "vendor/a", "messages": USER}
        for _ in range(20):
            group.create_task(http.post(f"{scripted.url}/chat/completions", json=body))
        await scripted.until(lambda: scripted.in_flight == 20)
        gate.open()
    await scripted.until(lambda: scripted.in_flight == 0)
    assert (scripted.peak_in_flight, scripted.counts["vendor/a"], scripted.disconnects) == (20, 20, [])


def test_waiting_in_vain_ends(scripted):
    with pytest.raises(TimeoutError, match="not seen within"):
        scripted.wait_until(lambda: scripted.in_flight, timeout=0.001)
