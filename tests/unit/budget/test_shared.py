"""A run's part of a shared budget: it waits for room, and settles however it ends."""

import asyncio
import math
import re

import psycopg
import pytest

from fusion_tool import Limits
from fusion_tool.budget import shared
from fusion_tool.budget.ledger import Spent
from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.budget.session import Session
from fusion_tool.budget.shared import SharedBudget, next_day
from fusion_tool.budget.store import Amounts, Balance, SqliteBudgets
from fusion_tool.config.system import utc_day
from fusion_tool.errors import DatabaseUnavailable
from tests.postgres import Postgres

DOLLAR = Amounts(1.0, math.inf, math.inf)


@pytest.fixture
def budget(tmp_path):
    return SharedBudget("alice", DOLLAR, SqliteBudgets(tmp_path / "spending.sqlite"))


def part(budget, usd, *, patience=60.0, outer=None):
    return budget.open(Amounts(usd=usd), lease_seconds=60.0, patience=patience, outer=outer)


async def test_a_run_waits_for_room_and_gets_all_that_it_asked_for(budget):
    async with asyncio.timeout(20):
        async with part(budget, 0.8) as (_, first):
            waiting = asyncio.create_task(part(budget, 0.8).__aenter__())
            await asyncio.sleep(0.05)
            assert (first.usd, waiting.done()) == (0.8, False)
        _, second = await waiting
    assert second.usd == 0.8


async def test_a_run_waits_no_longer_than_it_may_and_begins_with_what_is_left(budget):
    async with part(budget, 0.8), part(budget, 0.8, patience=0.05) as (session, room):
        assert room.usd == pytest.approx(0.2)
        assert session.ledger.remaining("usd") == pytest.approx(0.2)


async def test_of_what_is_used_up_a_run_may_spend_nothing(budget):
    async with part(budget, 1.0), part(budget, 0.5, patience=0) as (session, room):
        assert (room.usd, session.ledger.remaining("usd"), session.ledger.remaining("tokens")) == (0, 0, math.inf)


async def test_a_run_that_is_cancelled_while_it_waits_leaves_nothing_behind(budget):
    async with part(budget, 1.0):
        waiting = asyncio.create_task(part(budget, 0.5).__aenter__())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert (await budget.balance()).reserved.usd == 1.0
    assert await budget.balance() == Balance(Amounts(), Amounts())


async def test_what_is_reserved_for_a_run_that_is_cancelled_at_that_moment_is_given_back(budget, monkeypatch):
    reserving, go = asyncio.Event(), asyncio.Event()
    reserve = budget.store.reserve

    async def slowly(*arguments, **options):
        made = await reserve(*arguments, **options)
        reserving.set()
        await go.wait()
        return made

    monkeypatch.setattr(budget.store, "reserve", slowly)
    opening = asyncio.create_task(part(budget, 0.5).__aenter__())
    await reserving.wait()
    opening.cancel()
    go.set()
    await asyncio.wait([opening])
    assert opening.cancelled()
    assert await budget.balance() == Balance(Amounts(), Amounts())


async def test_a_failed_run_counts_with_what_it_spent_here_and_in_the_session_around_it(budget):
    outer = Session(Limits(usd=5))

    async def run():
        async with part(budget, 0.5, outer=outer) as (session, _):
            session.ledger.count(Spent(0.1, 10))
            assert session.ledger.remaining("usd") == pytest.approx(0.4)
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        await run()
    assert (await budget.balance()).spent[:2] == (0.1, 10)
    assert outer.spent.usd == 0.1


async def test_a_session_never_leaves_more_than_the_one_around_it(budget):
    outer = Session(Limits(usd=0.3))
    async with part(budget, 0.5, outer=outer) as (session, _):
        assert session.ledger.remaining("usd") == 0.3
        outer.ledger.count(Spent(0.2, 0))  # another run's
        assert session.ledger.remaining("usd") == pytest.approx(0.1)


async def test_a_store_that_is_away_for_a_moment_costs_a_settlement_nothing(budget, monkeypatch):
    monkeypatch.setattr(shared, "_SETTLE_PAUSE_SECONDS", 0)
    settle, failures = budget.store.settle, iter(range(3))

    async def at_last(*arguments):
        if next(failures, None) is not None:
            raise DatabaseUnavailable("it restarts")
        await settle(*arguments)

    monkeypatch.setattr(budget.store, "settle", at_last)
    async with part(budget, 0.5) as (session, _):
        session.ledger.count(Spent(0.1, 0))
    assert (await budget.balance()) == Balance(Amounts(usd=0.1, seconds=0), Amounts())


async def test_a_database_that_restarts_in_mid_run_refuses_others_and_costs_the_run_nothing():
    server = Postgres().start()
    try:
        address = server.empty()
        with psycopg.connect(address, autocommit=True) as connection:  # tests' servers are faster by it, and forget
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = on".encode())
        budget = SharedBudget("alice", DOLLAR, PostgresBudgets(address))
        async with part(budget, 0.5) as (session, _):
            session.ledger.count(Spent(0.1, 0))
            server.kill()
            with pytest.raises(DatabaseUnavailable):
                await part(budget, 0.5).__aenter__()
            asyncio.get_running_loop().call_later(0.5, server.start)
        assert await budget.balance() == Balance(Amounts(usd=0.1), Amounts())
    finally:
        server.remove()


async def test_what_cannot_be_settled_is_told_and_stays_reserved(budget, monkeypatch, caplog):
    monkeypatch.setattr(shared, "_SETTLE_SECONDS", -1)

    async def never(*_):
        raise DatabaseUnavailable("it is gone")

    monkeypatch.setattr(budget.store, "settle", never)
    async with part(budget, 0.5) as (session, _):
        session.ledger.count(Spent(0.1, 0))
    assert re.search(r"a run of 'alice' spent, \$0\.1, .* \$0\.5, .* counts as spent: .*it is gone", caplog.text)
    assert (await budget.balance()).reserved.usd == 0.5


async def test_nobody_begins_where_nobody_knows_what_is_left(tmp_path):
    (tmp_path / "spending.sqlite").mkdir()
    budget = SharedBudget("session ticket", DOLLAR, SqliteBudgets(tmp_path / "spending.sqlite"))
    with pytest.raises(DatabaseUnavailable, match="what is left of the budget of 'session ticket' is unknown"):
        async with part(budget, 0.5):
            pytest.fail("begun")


async def test_a_day_begins_anew_and_a_run_counts_for_the_day_it_began_on(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "budget_store", lambda _: SqliteBudgets(tmp_path / "spending.sqlite"))
    monkeypatch.setattr(shared, "utc_day", lambda: "2026-01-01")
    first = SharedBudget.of_day("key alice", 1.0, None)
    async with part(first, 1.0) as (late, _):
        monkeypatch.setattr(shared, "utc_day", lambda: "2026-01-02")
        second = SharedBudget.of_day("key alice", 1.0, None)
        async with part(second, 1.0, patience=0) as (_, room):
            assert room.usd == 1.0
        late.ledger.count(Spent(0.5, 0))
    assert ((await first.balance()).spent.usd, (await second.balance()).spent.usd) == (0.5, 0)


def test_the_day_ends_at_midnight_in_utc():
    assert next_day().endswith("T00:00:00Z")
    assert next_day()[:10] > utc_day()
