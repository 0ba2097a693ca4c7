"""One level of fusion, told by a context variable."""

import asyncio
import contextvars

import pytest

from fusion_tool.errors import RecursionRefused
from fusion_tool.graph.preflight import forbid_nested_run, inside_seat


def test_outside_a_seat_nothing_is_refused():
    forbid_nested_run()


def test_inside_a_seat_another_run_is_refused():
    with inside_seat(), pytest.raises(RecursionRefused, match="panel_tools"):
        forbid_nested_run()
    forbid_nested_run()


def test_the_mark_goes_when_a_seat_fails():
    with pytest.raises(RuntimeError), inside_seat():
        raise RuntimeError
    forbid_nested_run()


async def test_tasks_and_threads_of_a_seat_are_inside_it_and_others_are_not():
    async def refused():
        try:
            forbid_nested_run()
        except RecursionRefused:
            return True
        return False

    with inside_seat():
        inside = asyncio.create_task(refused())
        with pytest.raises(RecursionRefused):
            await asyncio.to_thread(forbid_nested_run)
    assert await inside
    assert not await asyncio.create_task(refused(), context=contextvars.Context())
