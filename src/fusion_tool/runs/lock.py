"""One process at a time works on a run; the second one is told so at once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from fusion_tool.errors import ConfigError
from fusion_tool.lock import acquired


class Busy(ConfigError):  # noqa: N818 - it is a `ConfigError` to the caller
    """Another process, or another task of this one, works on the run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} is being worked on by another process", field="resume")


@contextmanager
def working_on(run_id: str, path: Path) -> Iterator[None]:
    """Work on `run_id`, kept in `path`, and nobody else.

    The lock's file goes with the lock. Whoever took hold of it before it went finds the run finished or deleted, or
    left by the one who held it: what is done with a run is read under the lock.

    Raises:
        Busy: Somebody else does.
    """
    file = path.with_name(f"{path.name}-{run_id}.lock")
    connection = acquired(file)
    if connection is None:
        raise Busy(run_id)
    with closing(connection):
        yield
    with suppress(OSError):
        file.unlink()
