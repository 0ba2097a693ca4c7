"""What the system tells this process: how many files it may open, what day it is, and why something failed."""

from datetime import UTC, datetime


def utc_day() -> str:
    """Return today's date, in UTC."""
    return datetime.now(UTC).date().isoformat()


def file_limit() -> int | None:
    """Return how many files, sockets among them, this process may have open.

    Returns:
        The limit; `None` where there is none, or none that can be told (Windows).
    """
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def failure_text(error: Exception) -> str:
    """Return what went wrong, of the system's own errors the words alone, without number and path."""
    return getattr(error, "strerror", None) or str(error)
