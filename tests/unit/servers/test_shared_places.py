"""Places that several processes share, and what becomes of those of a process that is killed."""

import subprocess
import sys

from fusion_tool.servers.shared_places import SharedPlaces

HOLDER = """
import sys
from pathlib import Path
from fusion_tool.servers.shared_places import SharedPlaces
places = SharedPlaces(Path(sys.argv[1]), 3)
print([places.take() for _ in range(2)], flush=True)
sys.stdin.read()
"""


def test_a_place_is_one_processs_until_it_is_given_back_or_the_process_is_killed(tmp_path):
    path = tmp_path / "places"
    mine = SharedPlaces(path, 3)
    assert mine.take() == 0
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline().strip() == "[1, 2]"
        assert mine.take() is None
        mine.free(0)
        assert mine.take() == 0
        other.kill()
    assert sorted((mine.take(), mine.take())) == [1, 2]
    assert mine.take() is None
