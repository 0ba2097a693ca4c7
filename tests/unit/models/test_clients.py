"""One client an event loop, closed with it."""

import asyncio

from fusion_tool.models.clients import http_client, model_cache


async def pair():
    return await http_client(), await model_cache()


async def test_a_loop_has_one_client_and_one_cache():
    (client, cache), (again, cached) = await asyncio.gather(pair(), pair())
    assert client is again
    assert cache is cached


def test_each_loop_has_its_own_and_closes_it():
    first, cache = asyncio.run(pair())
    second, other = asyncio.run(pair())
    assert first is not second
    assert cache is not other
    assert first.is_closed
    assert second.is_closed


async def test_a_closed_client_is_replaced():
    first = await http_client()
    await first.aclose()
    second = await http_client()
    assert second is not first
    assert not second.is_closed
