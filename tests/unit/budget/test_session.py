"""A session's limits: which hold over several runs, and how seconds are shared out."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool import BudgetExceeded, ConfigError, Limits
from fusion_tool.budget import session
from fusion_tool.budget.session import Session


@pytest.fixture
def clock(monkeypatch):
    """Time passes where a test says so."""
    now = [100.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


@pytest.mark.parametrize("field", ["seat_seconds", "quorum", "grace_seconds", "min_answers"])
def test_what_holds_for_one_run_alone_is_refused(field):
    with pytest.raises(ConfigError, match=rf"session_limits\.{field}: .*set it under limits"):
        Session(Limits(**{field: 2}))


def test_the_default_deadline_of_one_run_is_none_of_a_session(clock):
    several = Session(Limits(usd=5))
    with several.run(180.0) as seconds:
        clock(1000)
    assert seconds is None
    assert several.spent == (0.0, 0, 1000.0)


def test_a_run_gets_what_the_session_leaves_and_gives_back_what_it_does_not_use(clock):
    several = Session(Limits(seconds=100))
    with several.run(60.0) as seconds:
        assert (seconds, several.spent.seconds) == (60.0, 60.0)
        clock(30)
    assert several.spent.seconds == 30.0
    with several.run(180.0) as seconds:
        assert seconds == 70.0
        clock(70)
    with pytest.raises(BudgetExceeded, match=r"^session_limits\.seconds: .* 0 is left; raise it"), several.run(1.0):
        pytest.fail("begun with no time left")


def test_runs_side_by_side_share_the_seconds(clock):
    several = Session(Limits(seconds=100))
    with several.run(60.0) as first, several.run(60.0) as second:
        assert (first, second) == (60.0, 40.0)
        with pytest.raises(BudgetExceeded), several.run(60.0):
            pytest.fail("begun with no time left")
        clock(10)
    assert several.spent.seconds == 20.0


def test_a_failed_run_counts_as_long_as_it_worked(clock):
    several = Session(Limits(seconds=100))
    with suppress(ValueError), several.run(60.0):
        clock(5)
        raise ValueError
    assert several.spent.seconds == 5.0


@given(
    limit=st.floats(1, 1000), runs=st.lists(st.tuples(st.floats(0.1, 500), st.floats(0, 1), st.booleans()), max_size=20)
)
def test_no_interleaving_of_runs_that_keep_their_deadlines_passes_the_seconds(limit, runs):
    several, under_way, now = Session(Limits(seconds=limit)), [], [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.time, "monotonic", lambda: now[0])
        for wanted, used, waits in runs:
            work = several.run(wanted)
            try:
                seconds = work.__enter__()
            except BudgetExceeded:
                continue
            under_way.append((work, now[0] + seconds * used))
            if not waits:
                for other, ends in sorted(under_way, key=lambda one: one[1]):
                    now[0] = max(now[0], ends)
                    other.__exit__(None, None, None)
                under_way = []
                now[0] += 1
            assert several.spent.seconds <= limit * (1 + 1e-9) + 1e-6
