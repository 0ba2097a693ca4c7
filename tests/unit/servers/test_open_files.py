"""How much work the open files of a server's process are enough for."""

import resource
import subprocess
import sys

import pytest

from fusion_tool import ConfigError, FusionConfig
from fusion_tool.servers import process
from fusion_tool.servers.http_protocol import with_refused
from fusion_tool.servers.open_files import Room, measure_room

ONE, FIVE = (FusionConfig(panel=[f"ollama:{i}" for i in range(seats)]) for seats in (1, 5))


@pytest.mark.parametrize(
    ("files", "max_runs", "panels", "room"),
    [
        pytest.param(None, 50, [FIVE], Room(50, 500), id="unknown"),
        pytest.param(None, 400, [FIVE], Room(400, 800), id="unknown, and a client more for each run"),
        pytest.param(20_000, 50, [FIVE], Room(50, 500), id="enough"),
        pytest.param(20_000, 1_200, [ONE], Room(1_200, 2_400), id="enough for many"),
        pytest.param(1_024, 50, [FIVE], Room(50, 408), id="fewer connections"),
        pytest.param(1_024, 100, [ONE, FIVE], Room(75, 186), id="fewer runs: any may be of the largest panel"),
        pytest.param(128, 50, [ONE], Room(16, 28), id="few"),
        pytest.param(128, 50, [FIVE.model_copy(update={"strategy": "auto"})], Room(6, 24), id="routed: three seats"),
    ],
)
def test_room(files, max_runs, panels, room):
    assert measure_room(files, max_runs, panels) == room
    seats = 3 if panels[-1].strategy == "auto" else max(len(panel.panel) for panel in panels)
    if files is not None:
        assert with_refused(room.connections) + room.runs * 2 * seats < files


def test_no_room_for_a_single_run_is_an_error():
    with pytest.raises(ConfigError, match="72 open files are not enough for a run of 1 seats"):
        measure_room(72, 50, [ONE])


@pytest.mark.parametrize(("workers", "said"), [(1, "16 runs at once instead of 50"), (3, "48 runs"), (4, "")])
def test_fewer_runs_than_allowed_are_said(workers, said, monkeypatch, caplog):
    monkeypatch.setattr(process, "raise_file_limit", lambda: 128)
    assert process.make_room(50, [ONE], workers=workers).runs == 16
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


@pytest.mark.parametrize(
    ("hard", "raised"),
    [
        pytest.param(512, 512, id="to the hard limit"),
        pytest.param(64, 64, id="it is there already"),
    ],
)
def test_the_soft_limit_is_raised(hard, raised):
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))\n"
        "from fusion_tool.servers.open_files import raise_file_limit\n"
        "print(raise_file_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(raised)] * 2


def test_where_an_unlimited_limit_is_refused_what_the_system_grants_is_taken(monkeypatch):
    limits = [256, resource.RLIM_INFINITY]

    def grant(_, wanted):
        if wanted[0] not in range(10_241):
            raise ValueError("current limit exceeds maximum limit")
        limits[:] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", grant)
    assert process.raise_file_limit() == 10_240
    assert limits == [10_240, resource.RLIM_INFINITY]
