"""What this machine has for a local model: memory, processors, and the context window that they allow."""

from fusion_tool.errors import ConfigError
from fusion_tool.models.local.gguf import GgufHeader

WINDOW = 8192
"""Tokens of context that are asked for: enough for documents and a panel's answers, and a quarter of a gigabyte for a
model of 1.5 billion parameters."""
_LEAST_WINDOW = 1024
_MEMORY_PART = 0.8
"""The part of the free memory that weights and context may take together."""
_FILE_PART = 0.9
"""The part of the machine's memory that a model's file may have."""


def check_memory(name: str, size: int, field: str = "model") -> None:
    """Refuse a model that the machine's memory cannot hold, whatever else is in it now.

    Args:
        name: The model.
        size: The bytes of its file.
        field: The setting that the error names.

    Raises:
        ConfigError: It is too large.
    """
    if size > _FILE_PART * (memory := total_memory()):
        raise ConfigError(
            f"{name} needs {gigabytes(size)} of memory, and this machine has {gigabytes(memory)}", field=field
        )


def total_memory() -> int:
    """Return the machine's memory in bytes."""
    import psutil

    return int(psutil.virtual_memory().total)


def gigabytes(size: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / 1e9:.1f} GB"


def context_window(header: GgufHeader, most: int | None) -> int:
    """Return the tokens of context that a model gets: `WINDOW`, or what it was trained for and what memory allows.

    Args:
        header: The model's file.
        most: The longest context in which it makes sense; `None` where that is not known.
    """
    import psutil

    window = min(WINDOW, header.window or WINDOW, most or WINDOW)
    if header.token_bytes is None:
        return window
    # The file is mapped: its pages count as free as long as nobody needs them, so that they are taken off here.
    room = int(psutil.virtual_memory().available * _MEMORY_PART) - header.file_bytes
    return max(_LEAST_WINDOW, min(window, room // header.token_bytes))


def free_threads() -> int:
    """Return how many threads a model may compute with: the processors that nobody is busy on, at least half."""
    import psutil

    # Those that this process may use: fewer than the machine's in a container with a processor set.
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    processors = len(affinity()) if affinity else psutil.cpu_count() or 1
    busy = round(psutil.getloadavg()[0])
    # More threads than processors that are free wait for each other at every layer.
    return max(1, (processors + 1) // 2, processors - busy)
