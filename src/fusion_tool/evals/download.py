"""A published task set, downloaded once and kept in the user's cache folder."""

import hashlib
import tempfile
from pathlib import Path
from typing import BinaryIO

from fusion_tool.errors import ConfigError
from fusion_tool.evals.published import Published, published
from fusion_tool.evals.reading import read_tasks
from fusion_tool.evals.tasks import TaskSet

_MOST_BYTES = 100_000_000
_SECONDS = 60.0


async def load_tasks(source: str | Path) -> TaskSet:
    """The task set in a file, or the published one of that name, such as `draco`.

    Raises:
        ConfigError: There is no such file or name, the download failed, or a row is wrong.
    """
    known = _by_name(str(source))
    if known is None:
        return read_tasks(source)
    return read_tasks(await download(known)).model_copy(update={"name": known.name, "exclude": known.exclude})


def _by_name(source: str) -> Published | None:
    """The published set of that name, `None` for a file; a file of a set's name comes first."""
    known = published().get(source)
    if known is None and not Path(source).exists():
        names = ", ".join(published())
        raise ConfigError(f"no file {source}, and no published task set of that name; there is {names}", field="tasks")
    return None if Path(source).is_file() else known


async def download(tasks: Published) -> Path:
    """The file of `tasks`, from the cache where it lies there unchanged, else from the network.

    Raises:
        ConfigError: It cannot be reached or stored, or its bytes are not the pinned ones.
    """
    target = tasks.path
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == tasks.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            part = Path(scratch) / target.name
            with part.open("wb") as out:
                found = await _stream(tasks, out)
            if found != tasks.sha256:
                raise _failed(tasks, f"its SHA-256 is {found}, not {tasks.sha256}")
            part.replace(target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}", field="tasks") from error
    return target


async def _stream(tasks: Published, out: BinaryIO) -> str:
    """Write the file's bytes to `out`; returns their SHA-256."""
    import httpx

    digest, size = hashlib.sha256(), 0
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=_SECONDS) as client,
            client.stream("GET", tasks.url) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > _MOST_BYTES:
                    raise _failed(tasks, f"it is longer than {_MOST_BYTES:,} bytes")
                digest.update(chunk)
                out.write(chunk)
    except httpx.HTTPStatusError as error:
        raise _failed(tasks, f"the server answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise _failed(tasks, str(error) or type(error).__name__) from error
    return digest.hexdigest()


def _failed(tasks: Published, reason: str) -> ConfigError:
    return ConfigError(
        f"'{tasks.name}' could not be downloaded from {tasks.url}: {reason}; "
        "where there is no network, fetch that file elsewhere and pass its path",
        field="tasks",
    )
