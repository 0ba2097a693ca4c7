"""One level of fusion, told by a context variable."""

import asyncio
import contextvars

import pytest

from fusion_tool.errors import RecursionRefused
from fusion_tool.graph.preflight import refuse_inside_seat, seat_at_work


def test_outside_a_seat_nothing_is_refused():
    refuse_inside_seat()


def test_inside_a_seat_another_run_is_refused():
    with seat_at_work(), pytest.raises(RecursionRefused, match="panel_tools"):
        refuse_inside_seat()
    refuse_inside_seat()


def test_the_mark_goes_when_a_seat_fails():
    with pytest.raises(RuntimeError), seat_at_work():
        raise RuntimeError
    refuse_inside_seat()


async def test_tasks_and_threads_of_a_seat_are_inside_it_and_others_are_not():
    async def refused():
        try:
            refuse_inside_seat()
        except RecursionRefused:
            return True
        return False

    with seat_at_work():
        inside = asyncio.create_task(refused())
        with pytest.raises(RecursionRefused):
            await asyncio.to_thread(refuse_inside_seat)
    assert await inside
    assert not await asyncio.create_task(refused(), context=contextvars.Context())
