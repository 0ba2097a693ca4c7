"""Identical work is done once, whoever asks, leaves, or fails."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.tools.toolkit import SingleFlight


class Job:
    """Counts its runs; waits for `end`, then returns its number, or fails as often as `failures` says."""

    def __init__(self, failures=0):
        self.end, self.runs, self.cancelled, self.failures = asyncio.Event(), 0, 0, failures

    async def __call__(self):
        self.runs += 1
        run = self.runs
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if run <= self.failures:
            raise LookupError(run)
        return run


async def waiting(flight, job, count, key="k"):
    tasks = [asyncio.create_task(flight(key, job)) for _ in range(count)]
    await turns()
    return tasks


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_everyone_gets_the_one_outcome_now_and_later():
    once, job = SingleFlight(), Job()
    tasks = await waiting(once, job, 5)
    job.end.set()
    assert await asyncio.gather(*tasks, once("k", job)) == [1] * 6
    assert job.runs == 1


async def test_other_keys_are_other_work():
    once, job = SingleFlight(), Job()
    job.end.set()
    assert [await once("a", job), await once("b", job), await once("a", job)] == [1, 2, 1]


async def test_a_failure_reaches_everyone_and_may_be_tried_again():
    once, job = SingleFlight(), Job(failures=1)
    tasks = await waiting(once, job, 3)
    job.end.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError] * 3
    assert await once("k", job) == 2
    assert job.runs == 2


async def test_whoever_leaves_takes_nothing_from_the_others():
    once, job = SingleFlight(), Job()
    first, second = await waiting(once, job, 2)
    first.cancel()
    await turns()
    assert first.cancelled()
    job.end.set()
    assert await second == 1
    assert job.cancelled == 0


async def test_the_last_to_leave_ends_the_work_and_it_can_start_over():
    once, job = SingleFlight(), Job()
    tasks = await waiting(once, job, 2)
    for task in tasks:
        task.cancel()
    await turns()
    assert job.cancelled == 1
    job.end.set()
    assert await once("k", job) == 2


async def test_an_outcome_of_none_is_an_outcome():
    once, runs = SingleFlight(), []

    async def nothing():
        runs.append(1)

    assert [await once("k", nothing), await once("k", nothing)] == [None, None]
    assert len(runs) == 1


@given(st.lists(st.sampled_from("abc"), max_size=12), st.sets(st.sampled_from("abc")))
def test_each_key_runs_once_however_it_is_asked(keys, failing):
    async def ask_all():
        once, ran = SingleFlight(), []

        async def job(key):
            ran.append(key)
            await asyncio.sleep(0)
            if key in failing:
                raise LookupError(key)
            return key

        outcomes = await asyncio.gather(*(once(k, lambda k=k: job(k)) for k in keys), return_exceptions=True)
        assert sorted(ran) == sorted(set(keys))
        for key, outcome in zip(keys, outcomes, strict=True):
            assert isinstance(outcome, LookupError) if key in failing else outcome == key

    asyncio.run(ask_all())


async def test_a_job_that_raises_at_once_raises():
    def broken():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await SingleFlight()("k", broken)
