"""The highest resident memory of this process while something works; Linux."""

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def highest_resident() -> Iterator[list[float]]:
    """Fill the list with the highest resident memory, in kB, above that at the beginning."""
    page, over = os.sysconf("SC_PAGE_SIZE"), threading.Event()

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * page / 1000

    def watch() -> None:
        while not over.wait(0.05):
            highest[0] = max(highest[0], resident() - before)

    gc.collect()
    before, highest = resident(), [0.0]
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield highest
    finally:
        over.set()
        watcher.join()
