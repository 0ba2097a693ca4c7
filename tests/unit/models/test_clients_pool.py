"""The pooled client: warm connections at light load, more pools under load, and an end with its loop."""

import asyncio

import pytest

from fusion_tool.models.clients import PooledClient, http_client
from tests.scripted_server import Gate, Reply

pytestmark = pytest.mark.loopback

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


async def ask(client, server):
    return (await client.post(f"{server.url}/chat/completions", json=BODY)).status_code


async def test_calls_one_after_another_share_a_connection(scripted):
    async with PooledClient(connections=100) as client:
        for _ in range(3):
            assert await ask(client, scripted) == 200
        assert len(client._pools) == 1


async def test_many_at_once_take_more_pools_and_all_are_answered(scripted):
    gate = Gate()
    scripted.otherwise(Reply("x", gate=gate))
    async with PooledClient(connections=100) as client:
        calls = [asyncio.ensure_future(ask(client, scripted)) for _ in range(70)]
        await scripted.until(lambda: scripted.in_flight == 70)
        gate.open()
        assert set(await asyncio.gather(*calls)) == {200}
        assert len(client._pools) == 3


async def test_where_every_connection_is_busy_calls_wait_their_turn(scripted):
    async with PooledClient(connections=2) as client:
        assert await asyncio.gather(*(ask(client, scripted) for _ in range(8))) == [200] * 8
    assert scripted.peak_in_flight <= 2


async def test_a_cancelled_call_gives_its_place_back(scripted):
    gate = Gate()
    scripted.otherwise(Reply("x", gate=gate))
    async with PooledClient(connections=1) as client:
        first = asyncio.ensure_future(ask(client, scripted))
        await scripted.until(lambda: scripted.in_flight == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open()
        assert await ask(client, scripted) == 200
        assert client._busy == [0]


def test_each_loop_has_its_own_and_closes_it():
    async def own():
        return await http_client()

    first, second = asyncio.run(own()), asyncio.run(own())
    assert first is not second
    assert first.is_closed
    assert second.is_closed
