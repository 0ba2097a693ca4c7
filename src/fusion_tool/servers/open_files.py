"""The files that a server's process may have open, sockets among them, and how much work they are enough for.

A process that has none left cannot accept a connection, nor reach a model: the runs that it has would fail.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fusion_tool.config.choices import AUTO, MOST_ROUTED_SEATS
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.system import file_limit
from fusion_tool.errors import ConfigError

MOST_CONNECTIONS = 500
"""Of a process whose runs need fewer: others come for lists, for counters, for a refusal."""
_OWN_FILES = 64
"""The interpreter's, the loop's, those of the databases."""
_FILES_A_SEAT = 2
"""A call and its hedge, or the ends of a tool's process."""
_MACOS_MOST = 10_240
"""What macOS grants where its hard limit, unlimited, is refused."""


@dataclass(frozen=True)
class Room:
    """What one process of a server takes at once.

    Args:
        runs: Runs.
        connections: Connections, those of the runs among them; an eighth more is told that it is too much.
    """

    runs: int
    connections: int


def raise_file_limit() -> int | None:
    """Raise this process' limit of open files as far as the system lets it, and return it as `file_limit` does."""
    soft = file_limit()
    if soft is None:
        return None
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (hard, _MACOS_MOST):
        if 0 <= most <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            continue
        break
    return file_limit()


def measure_room(files: int | None, max_runs: int, panels: Iterable[FusionConfig]) -> Room:
    """Return what a process takes at once.

    Args:
        files: Files that it may have open; `None` bounds nothing.
        max_runs: Runs that the operator allows.
        panels: The panels that are served: the largest one is that of every run.

    Raises:
        ConfigError: The files are not enough for a single run.
    """
    connections = max(MOST_CONNECTIONS, 2 * max_runs)
    if files is None:
        return Room(max_runs, connections)
    seats = max(len(panel.panel) if panel.strategy != AUTO else MOST_ROUTED_SEATS for panel in panels)
    upstream = _FILES_A_SEAT * seats
    left = files - _OWN_FILES
    # An eighth is for clients without a run.
    runs = min(max_runs, (left - min(MOST_CONNECTIONS, files // 8)) // (1 + upstream))
    if runs < 1:
        raise ConfigError(
            f"{files} open files are not enough for a run of {seats} seats: raise the hard limit of files"
        )
    return Room(runs, min(connections, (left - runs * upstream) * 8 // 9))
