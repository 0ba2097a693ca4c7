"""Searches and pages across runs: kept for their time, never where a page says no-store, never at the answer's cost."""

import sqlite3
from contextlib import closing

import pytest

from fusion_tool.config.schema import FusionConfig
from fusion_tool.tools import caching
from fusion_tool.tools.build import build_toolkit
from fusion_tool.tools.builtin import read_page, search_sources
from tests.scripted_server.web import Hit, Page
from tests.unit.tools.test_serializer import CRAFTED

TEXT = "<html><head><title>T</title></head><body><p>The Kestrel costs 349 crowns in every shop.</p></body></html>"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(caching, "cache_path", (tmp_path / "cache").joinpath)
    opened = caching._cache
    opened.cache_clear()
    yield
    opened.cache_clear()


class Job:
    def __init__(self, value):
        self.value, self.times = value, 0

    async def __call__(self):
        self.times += 1
        return self.value


async def test_what_is_kept_is_not_made_again():
    job = Job({"x": 1})
    assert [await caching.cached(("k",), job, seconds=60) for _ in range(3)] == [{"x": 1}] * 3
    assert job.times == 1


async def test_another_key_is_another_job():
    job = Job({"x": 1})
    await caching.cached(("k", 1), job, seconds=60)
    await caching.cached(("k", 2), job, seconds=60)
    assert job.times == 2


@pytest.mark.parametrize("row", CRAFTED)
async def test_a_crafted_row_is_made_again_and_calls_nothing(tmp_path, monkeypatch, caplog, row):
    called = []
    monkeypatch.setattr("os.system", lambda *given: called.append(given))
    kind, raw, _ = CRAFTED[row]
    job = Job({"x": 1})
    await caching.cached(("k",), job, seconds=60)
    with closing(sqlite3.connect(tmp_path / "cache" / "tools.sqlite")) as connection, connection:
        connection.execute("UPDATE cache SET encoding = ?, val = ?", (kind, raw))
    assert [await caching.cached(("k",), job, seconds=60) for _ in range(2)] == [{"x": 1}] * 2
    assert (job.times, called, len(caplog.records)) == (2, [], 1)


async def test_without_a_time_to_live_nothing_is_kept(tmp_path):
    job = Job({"x": 1})
    await caching.cached(("k",), job, seconds=None)
    await caching.cached(("k",), job, seconds=None)
    assert job.times == 2
    assert not (tmp_path / "cache").exists()


async def test_what_is_not_worth_keeping_is_made_again():
    job = Job({"cacheable": False})
    for _ in range(2):
        await caching.cached(("k",), job, seconds=60, worth_keeping=lambda page: page["cacheable"])
    assert job.times == 2


async def test_a_broken_cache_costs_a_warning_not_the_answer(tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tools.sqlite").write_bytes(b"this is no database" * 100)
    job = Job({"x": 1})
    assert await caching.cached(("k",), job, seconds=60) == {"x": 1}
    assert "left out" in caplog.text


async def test_a_locked_cache_costs_a_warning_too(monkeypatch, caplog):
    class Locked:
        async def aget(self, _keys):
            raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(caching, "_cache", Locked)
    assert await caching.cached(("k",), Job({"x": 1}), seconds=60) == {"x": 1}
    assert "locked" in caplog.text


async def kit(web, run_id):
    hosts = [f"127.0.0.1:{web.port}"]
    fetch = {"allowed_private_hosts": hosts, "cache_seconds": 60}
    search = {"providers": ["searxng"], "cache_seconds": 60}
    config = FusionConfig(panel=["test:one"], search=search, fetch=fetch, bash="off")
    return await build_toolkit(config, key=run_id, nonce="00ff17ab42cd")


@pytest.mark.loopback
@pytest.mark.parametrize(("headers", "requests"), [({}, 1), ({"cache-control": "no-store"}, 2)])
async def test_a_page_is_fetched_once_over_two_runs_but_for_no_store(web, headers, requests):
    web.page("/kestrel", Page(TEXT, headers=headers))
    texts = [(await read_page(await kit(web, run), web.url("/kestrel"))).text for run in ("run-1", "run-2")]
    assert all("349 crowns" in text for text in texts)
    assert web.counts["/kestrel"] == requests


@pytest.mark.loopback
async def test_a_search_is_made_once_over_two_runs(web, monkeypatch):
    monkeypatch.setenv("SEARXNG_URL", web.root)
    web.hits(Hit(web.url("/kestrel"), "Kestrel", "349 crowns"))
    first, second = [await search_sources(await kit(web, run), "kestrel price") for run in ("run-1", "run-2")]
    assert first == second
    assert len(web.queries) == 1
