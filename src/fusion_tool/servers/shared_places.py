"""Places that the processes of a server share, so that all of them together have one bound.

A place is a byte of a file, and whoever holds the byte's lock has it. The system itself releases the locks of a process
that has ended, however it ended: a count in shared memory would keep the runs of one that was killed.
"""

import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int, place: int, *, is_held: bool) -> None:
        os.lseek(file, place, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK if is_held else msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: int, place: int, *, is_held: bool) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB if is_held else fcntl.LOCK_UN, 1, place)


class SharedPlaces:
    """The places, as one process sees them: make it once in each, since closing the file gives all back.

    Args:
        path: The file, which is made where it is missing.
        count: How many places there are.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._count = count
        # A lock keeps out other processes alone.
        self._held = set[int]()

    def take(self) -> int | None:
        """Return a place that was free and is now held; `None` where there is none."""
        for place in range(self._count):
            if place not in self._held and self._try(place):
                self._held.add(place)
                return place
        return None

    def free(self, place: int) -> None:
        """Give a place back."""
        _lock(self._file, place, is_held=False)
        self._held.remove(place)

    def _try(self, place: int) -> bool:
        try:
            _lock(self._file, place, is_held=True)
        except OSError:  # somebody else's
            return False
        return True
