"""One level of fusion, told by a context variable."""

import asyncio

import pytest

from fusion_tool.errors import RecursionRefused
from fusion_tool.graph.preflight import forbid_nested_run, mark_seat


def test_outside_a_seat_nothing_is_refused():
    forbid_nested_run()


@pytest.mark.usefixtures("in_seat")
def test_inside_a_seat_another_run_is_refused():
    with pytest.raises(RecursionRefused, match="panel_tools"):
        forbid_nested_run()


async def test_tasks_and_threads_of_a_seat_are_inside_it_and_others_are_not():
    async def refused():
        try:
            forbid_nested_run()
        except RecursionRefused:
            return True
        return False

    async def seat():
        mark_seat()
        with pytest.raises(RecursionRefused):
            await asyncio.to_thread(forbid_nested_run)
        return asyncio.create_task(refused())

    assert await (await asyncio.create_task(seat()))
    assert not await refused()
