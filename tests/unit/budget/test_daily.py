"""What is counted of a day: never more than its dollars, whoever asks at once, whatever is settled."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.budget import daily
from fusion_tool.budget.daily import DaySpending, SqliteDailyBudget, next_day

CENTS = st.integers(1, 60).map(lambda cents: cents / 100)


@given(runs=st.lists(st.tuples(CENTS, st.floats(0, 1), st.booleans()), max_size=12))
def test_what_is_reserved_and_spent_stays_within_the_day(tmp_path_factory, runs):
    budget = SqliteDailyBudget(tmp_path_factory.mktemp("day") / "spending.sqlite")
    spent = reserved = 0.0
    for usd, share, ends in runs:
        reservation = budget.reserve("alice", usd, 1.0)
        assert reservation.usd == pytest.approx(min(usd, max(1.0 - spent - reserved, 0.0)))
        if ends:
            budget.settle(reservation, reservation.usd * share)
            spent += reservation.usd * share
        else:
            reserved += reservation.usd
        assert budget.spent("alice") == pytest.approx((spent, reserved))
        assert spent + reserved <= 1.0 + 1e-9


def test_many_at_once_get_no_more_than_there_is(tmp_path):
    path = tmp_path / "spending.sqlite"
    with ThreadPoolExecutor(16) as pool:
        # A connection each, as processes have them.
        reservations = list(pool.map(lambda _: SqliteDailyBudget(path).reserve("alice", 0.3, 1.0), range(16)))
    assert sum(reservation.usd for reservation in reservations) == pytest.approx(1.0)
    assert SqliteDailyBudget(path).spent("bob") == DaySpending(0.0, 0.0)


def test_a_provider_that_bills_more_leaves_nothing(tmp_path):
    budget = SqliteDailyBudget(tmp_path / "spending.sqlite")
    budget.settle(budget.reserve("alice", 0.9, 1.0), 1.5)
    assert budget.reserve("alice", 0.1, 1.0).usd == 0
    assert budget.spent("alice") == DaySpending(1.5, 0.0)


def test_a_day_begins_anew_and_a_run_counts_for_the_day_it_began_on(tmp_path, monkeypatch):
    budget = SqliteDailyBudget(tmp_path / "spending.sqlite")
    monkeypatch.setattr(daily, "utc_day", lambda: "2026-01-01")
    late = budget.reserve("alice", 1.0, 1.0)
    monkeypatch.setattr(daily, "utc_day", lambda: "2026-01-02")
    assert budget.reserve("alice", 1.0, 1.0).usd == 1.0
    budget.settle(late, 0.5)
    assert budget.spent("alice") == DaySpending(0.0, 1.0)
    monkeypatch.setattr(daily, "utc_day", lambda: "2026-01-01")
    assert budget.spent("alice") == DaySpending(0.5, 0.0)


def test_the_day_ends_at_midnight_in_utc():
    assert next_day().endswith("T00:00:00Z")
    assert next_day()[:10] > daily.utc_day()
