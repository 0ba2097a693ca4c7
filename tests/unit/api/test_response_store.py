"""Results that processes share, in each store: what is read back, and who makes one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from fusion_tool.api import response_store
from fusion_tool.api.response_store import PostgresResponses, ResponseStore, SqliteResponses
from fusion_tool.errors import DatabaseUnavailable

WHOLE, PARTIAL = {"status": "ok", "answer": "In 1861."}, {"status": "partial", "answer": "In 1871."}


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path, monkeypatch) -> ResponseStore:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return SqliteResponses() if request.param == "sqlite" else PostgresResponses(request.getfixturevalue("database"))


async def test_a_whole_result_is_everybodys_and_a_partial_one_theirs_who_waited(store):
    assert await store.read("key", 60.0) is None
    await store.write("key", PARTIAL)
    assert await store.read("key", 0.0) is None
    assert "In 1871." in await store.read("key", 60.0)
    await asyncio.sleep(0.02)
    assert await store.read("key", 0.01) is None
    await store.write("key", WHOLE)
    assert "In 1861." in await store.read("key", 0.0)
    assert await store.read("other", 60.0) is None


async def test_results_of_earlier_days_go_when_new_ones_come(store, monkeypatch):
    monkeypatch.setattr(response_store, "utc_day", lambda: "2026-01-01")
    await store.write("old", WHOLE)
    monkeypatch.setattr(response_store, "utc_day", lambda: "2026-01-02")
    assert await store.read("old", 0.0)
    await store.write("new", WHOLE)
    assert [bool(await store.read(key, 0.0)) for key in ("old", "new")] == [False, True]


def test_of_all_threads_and_loops_one_leads_at_a_time(store):
    inside, most = [], []

    async def lead(number):
        async with store.lead("key", 60.0):
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(0.02)
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: asyncio.run(lead(number)), range(4)))
    assert most == [1] * 4


async def test_who_leads_in_another_question_is_not_waited_for_and_nobody_for_ever(store):
    async with asyncio.timeout(20), store.lead("key", 60.0), store.lead("other", 60.0), store.lead("key", 0.05):
        pass


async def test_a_store_that_cannot_be_used_says_so_in_one_error(store, tmp_path, postgres):
    if isinstance(store, SqliteResponses):
        (tmp_path / "cache").write_text("in its place")
    else:
        store = PostgresResponses(postgres.address("missing"))
    with pytest.raises(DatabaseUnavailable):
        await store.write("key", WHOLE)
    with pytest.raises(DatabaseUnavailable):
        await store.lead("key", 1.0).__aenter__()
