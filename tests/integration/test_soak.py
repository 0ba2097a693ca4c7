"""Two hundred runs with every fifth reply a fault: nothing is left behind, and no answer that was paid for is lost."""

import asyncio
import sys
import time

import pytest

from fusion_tool.models import faults
from tests.integration.soak import chaos, soak, sockets

RUNS = 200
MIB = 1 << 20
GROWTH, IDLE, MARGIN = 1.05, 16, 12 * MIB
"""Live objects may grow by 5 %, idle connections by 16, resident memory by 12 MiB from the first to the last quarter of
the runs: pools that fill, the allocator's fragments. A leaked run of 50 KiB adds 7 MiB, over 100,000 objects."""


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform != "linux", reason="counts what /proc shows")
def test_many_runs_leave_nothing_behind(provider, monkeypatch):
    monkeypatch.setattr(faults, "_jitter", lambda _: 0.001)
    provider.otherwise(chaos(seed=7))
    before = sockets()
    censuses, ends = asyncio.run(soak(provider, RUNS))
    warm, *_, last = censuses
    assert sum(ends.values()) == RUNS
    assert ends["ok"] > RUNS / 2
    assert [one.tasks for one in censuses] == [0, 0, 0, 0]
    assert last.sockets <= max(one.sockets for one in censuses[:2]) + IDLE  # idle connections are kept, not piled up
    assert last.objects <= warm.objects * GROWTH
    assert last.resident <= warm.resident + MARGIN
    assert settled(before) <= before  # the loop is closed, and its clients with it


def settled(wanted):
    """The sockets that are open once the server has noticed that its clients left."""
    until = time.monotonic() + 5
    while sockets() > wanted and time.monotonic() < until:
        time.sleep(0.02)
    return sockets()
