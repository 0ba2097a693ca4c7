"""Budgets that processes share, in each store: what is spent and reserved never passes the limit."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.budget.store import Amounts, Balance, BudgetStore, SqliteBudgets
from fusion_tool.errors import DatabaseUnavailable

DOLLAR = Amounts(1.0, math.inf, math.inf)
CENTS = st.integers(1, 60).map(lambda cents: cents / 100)
LONG, OVER = 1000.0, -1.0
"""Seconds of a lease."""


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path) -> BudgetStore:
    if request.param == "sqlite":
        return SqliteBudgets(tmp_path / "spending.sqlite")
    return PostgresBudgets(request.getfixturevalue("database"))


def reserve(store, usd, *, budget="alice", lease=LONG, whole=False):
    return store.reserve(budget, Amounts(usd=usd), DOLLAR, lease_seconds=lease, whole=whole)


names = iter(range(1_000_000))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(CENTS, st.floats(0, 1), st.integers(0, 5), st.booleans()), max_size=12),
    wants_whole=st.booleans(),
)
def test_no_interleaving_of_reservations_and_settlements_passes_the_limit(store, steps, wants_whole):
    """Each step reserves, for a lease that may be over, and then settles one of those that stand, once or twice."""

    async def work():
        budget = f"budget {next(names)}"
        under_way, spent = [], 0.0
        for usd, share, which, is_alive in steps:
            lease = LONG if is_alive else OVER
            one = await reserve(store, usd, budget=budget, lease=lease, whole=wants_whole)
            if one is not None:
                assert one.amounts.usd <= usd
                under_way.append(one)
            if which < len(under_way):
                ended = under_way.pop(which)
                for _ in range(2):
                    await store.settle(ended, Amounts(usd=ended.amounts.usd * share))
                spent += ended.amounts.usd * share
            seen = await store.balance(budget)
            assert seen.spent.usd + seen.reserved.usd == pytest.approx(spent + sum(r.amounts.usd for r in under_way))
            assert seen.spent.usd + seen.reserved.usd <= 1.0 + 1e-9

    asyncio.run(work())


def test_many_threads_and_loops_at_once_get_no_more_than_there_is(store):
    with ThreadPoolExecutor(8) as pool:
        # A connection each, as processes have them.
        granted = list(pool.map(lambda _: asyncio.run(reserve(store, 0.3)), range(8)))
    assert sum(one.amounts.usd for one in granted) == pytest.approx(1.0)
    assert asyncio.run(store.balance("bob")) == Balance(Amounts(), Amounts())


async def test_a_run_gets_what_is_left_and_gives_back_what_it_did_not_spend(store):
    limits = Amounts(1.0, 1000.0, 60.0)
    first = await store.reserve("alice", Amounts(0.7, 900.0, 50.0), limits, lease_seconds=LONG)
    second = await store.reserve("alice", Amounts(math.inf, math.inf, math.inf), limits, lease_seconds=LONG)
    assert first.amounts == (0.7, 900.0, 50.0)
    assert second.amounts == pytest.approx((0.3, 100.0, 10.0))
    await store.settle(first, Amounts(0.2, 100.0, 5.0))
    assert await store.balance("alice") == Balance(Amounts(0.2, 100.0, 5.0), second.amounts)


async def test_what_has_no_limit_is_counted_all_the_same(store):
    free = await store.reserve("alice", Amounts(0.5, 10.0, 1.0), Amounts(*[math.inf] * 3), lease_seconds=LONG)
    assert free.amounts == Amounts()
    await store.settle(free, Amounts(0.4, 7.0, 2.0))
    assert await store.balance("alice") == Balance(Amounts(0.4, 7.0, 2.0), Amounts())


async def test_a_run_that_must_be_whole_waits_for_what_is_reserved_and_not_for_what_is_spent(store):
    first = await reserve(store, 0.6)
    assert await reserve(store, 0.6, whole=True) is None
    assert (await store.balance("alice")).reserved.usd == 0.6
    await store.settle(first, Amounts(usd=0.6))
    assert (await reserve(store, 0.6, whole=True)).amounts.usd == pytest.approx(0.4)


async def test_what_a_dead_process_had_reserved_counts_as_spent_and_is_waited_for_no_more(store):
    dead = await reserve(store, 0.6, lease=OVER)
    assert await store.balance("alice") == Balance(Amounts(usd=0.6), Amounts())
    assert (await reserve(store, 0.6, whole=True)).amounts.usd == pytest.approx(0.4)
    # It was not dead, but slow: what it spent is known now.
    await store.settle(dead, Amounts(usd=0.1))
    assert (await store.balance("alice")).spent.usd == pytest.approx(0.1)


async def test_a_provider_that_bills_more_leaves_nothing(store):
    await store.settle(await reserve(store, 0.9), Amounts(usd=1.5))
    assert (await reserve(store, 0.1)).amounts.usd == 0
    assert (await store.balance("alice")).spent.usd == 1.5


async def test_a_store_that_cannot_be_used_says_so_in_one_error(store, tmp_path, postgres):
    if isinstance(store, SqliteBudgets):
        (tmp_path / "spending.sqlite").mkdir()
    else:
        store = PostgresBudgets(postgres.address("missing"))
    for work in (reserve(store, 0.1), store.balance("alice")):
        with pytest.raises(DatabaseUnavailable) as error:
            await work
        assert "\n" not in str(error.value)
