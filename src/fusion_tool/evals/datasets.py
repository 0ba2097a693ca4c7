"""Task sets from files (`read_task_file`) and from the Hugging Face Hub (`download`); `load_tasks` takes either."""

import hashlib
import json
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from fusion_tool.config.network import read_address
from fusion_tool.config.storage import cache_path
from fusion_tool.config.words import complaint
from fusion_tool.errors import ConfigError
from fusion_tool.evals.tasks import Exclude, Task, TaskSet

_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class PublishedTaskSet:
    """A published task set, pinned to one file.

    Args:
        name: The name that a user gives.
        repository: Its dataset repository on the Hugging Face Hub.
        file: Path of the file in the repository.
        revision: The commit.
        sha256: The file's SHA-256, as hex digits.
        exclude: Hosts that publish its rubrics, and texts that mark a copy elsewhere.
    """

    name: str
    repository: str
    file: str
    revision: str
    sha256: str
    exclude: Exclude

    @property
    def url(self) -> str:
        """The file's address; `HF_ENDPOINT` names a mirror, as for the Hub's own clients."""
        hub = read_address("HF_ENDPOINT") or _HUB
        return f"{hub}/datasets/{self.repository}/resolve/{self.revision}/{self.file}"

    @property
    def path(self) -> Path:
        """The path of the downloaded file in the user's cache."""
        return cache_path("tasks") / f"{self.name}-{self.revision[:12]}.jsonl"


@cache
def published_task_sets() -> dict[str, PublishedTaskSet]:
    """Return the published task sets by name."""
    data = tomllib.loads((files("fusion_tool.evals") / "published.toml").read_text("utf-8"))
    return {
        name: PublishedTaskSet(name, **row | {"exclude": Exclude.model_validate(row["exclude"])})
        for name, row in data.items()
    }


def read_task_file(path: str | Path) -> TaskSet:
    """Read the task set in a file, one JSON object a line.

    A row is `{"id", "question", "domain", "rubric" | "reference", "exclude"}`. A rubric is a list of criteria
    `{"id", "requirement", "weight", "axis"}`, or of texts, which weigh 1 each. DRACO's own rows
    (`{"id", "domain", "problem", "answer"}`, the answer a rubric in sections, as JSON in a string; source:
    https://huggingface.co/datasets/perplexity-ai/draco) are recognised by their `problem`, and bring that
    benchmark's exclusions.

    Raises:
        ConfigError: The file cannot be read, or a row is wrong; the message names file, line and field.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")  # Windows' editors put a byte order mark first, which JSON does not take
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", field="tasks") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}", field="tasks") from error
    exclude, tasks, lines = Exclude(), [], dict[str, int]()
    for number, row in _rows(path, text):
        task = _task(path, number, row)
        if (first := lines.setdefault(task.id, number)) != number:
            raise ConfigError(f"'{task.id}' is the id of line {first} too ({_at(path, number)})", field="id")
        # A copy or a part of DRACO under any name: its rubrics are on the same public pages.
        exclude = published_task_sets()["draco"].exclude if "problem" in row else exclude
        tasks.append(task)
    if not tasks:
        raise ConfigError(f"{path} holds no task", field="tasks")
    return TaskSet(name=path.stem, tasks=tuple(tasks), exclude=exclude)


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand inside a JSON string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"not JSON: {error} ({_at(path, number)})", field="tasks") from error
        if not isinstance(row, dict):
            raise ConfigError(f"expected a JSON object ({_at(path, number)})", field="tasks")
        yield number, row


def _task(path: Path, number: int, row: dict[str, Any]) -> Task:
    try:
        return Task.model_validate(_normalize_row(row))
    except ValidationError as error:
        field, message = complaint(error.errors())
        raise ConfigError(f"{message} ({_at(path, number)})", field=field or "task") from None
    except ValueError as error:
        raise ConfigError(f"{error} ({_at(path, number)})", field="rubric") from None


def _normalize_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in the form of `Task`, whichever of the accepted forms it has."""
    if "problem" in row:
        row = {"question" if key == "problem" else "rubric" if key == "answer" else key: row[key] for key in row}
        # Checked here: the missing field that `Task` would name, `rubric`, is not in the user's file.
        if "rubric" not in row:
            raise ValueError("DRACO's rows carry their rubric in 'answer', which is missing")
    rubric = row.get("rubric")
    if rubric is None:
        return row
    if isinstance(rubric, str):
        try:
            rubric = json.loads(rubric)
        except ValueError as error:
            raise ValueError(f"not a rubric but a text that is not JSON: {error}") from None
    return row | {"rubric": _criteria(rubric)}


def _criteria(rubric: Any) -> list[Any]:
    if isinstance(rubric, dict):
        sections = rubric.get("sections")
        if not isinstance(sections, list) or not all(isinstance(s, dict) for s in sections):
            raise ValueError("expected a list of criteria, or an object with 'sections'")
        rubric = [
            _in_section(criterion, section) for section in sections for criterion in section.get("criteria") or ()
        ]
    if not isinstance(rubric, list) or not rubric:
        raise ValueError("a rubric needs at least one criterion")
    return [
        {"id": str(n), "requirement": criterion} if isinstance(criterion, str) else criterion
        for n, criterion in enumerate(rubric, 1)
    ]


def _in_section(criterion: Any, section: dict[str, Any]) -> Any:
    # Anything but a dict is passed on: `Task` refuses it, and names its place.
    return {"axis": section.get("id")} | criterion if isinstance(criterion, dict) else criterion


def _at(path: Path, number: int) -> str:
    return f"{path}, line {number}"


_MAX_BYTES = 100_000_000
"""Length at which a download is given up, before it fills the disk."""
_TIMEOUT_SECONDS = 60.0
"""Seconds without a byte."""


async def load_tasks(source: str | Path) -> TaskSet:
    """Load the task set in a file, or the published set of that name, such as `draco`.

    Raises:
        ConfigError: There is no such file or name, the download failed, or a row is wrong.
    """
    published = _published_set(str(source))
    if published is None:
        return read_task_file(source)
    tasks = read_task_file(await download(published))
    return tasks.model_copy(update={"name": published.name, "exclude": published.exclude})


def _published_set(source: str) -> PublishedTaskSet | None:
    """Return the published set of that name; `None` for a file, which comes first where both have the name."""
    published = published_task_sets().get(source)
    if published is None and not Path(source).exists():
        names = ", ".join(published_task_sets())
        raise ConfigError(f"no file {source}, and no published task set of that name; there is {names}", field="tasks")
    return None if Path(source).is_file() else published


async def download(tasks: PublishedTaskSet) -> Path:
    """Return the path of the file of `tasks`, downloaded unless the cache has it unchanged.

    Raises:
        ConfigError: The file cannot be reached or stored, or its bytes are not the pinned ones.
    """
    target = tasks.path
    # Checked with each use: scores over a file that was changed since could be compared with nobody's.
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == tasks.sha256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            part = Path(scratch) / target.name
            with part.open("wb") as out:
                sha256 = await _stream(tasks, out)
            if sha256 != tasks.sha256:
                raise _download_error(tasks, f"its SHA-256 is {sha256}, not {tasks.sha256}")
            part.replace(target)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}", field="tasks") from error
    return target


async def _stream(tasks: PublishedTaskSet, out: BinaryIO) -> str:
    """Write the file's bytes to `out`, and return their SHA-256."""
    import httpx

    digest, size = hashlib.sha256(), 0
    try:
        async with (
            # The Hub answers with a redirect to its storage; what comes from there is checked by its SHA-256.
            httpx.AsyncClient(follow_redirects=True, timeout=_TIMEOUT_SECONDS) as client,
            client.stream("GET", tasks.url) as response,
        ):
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                size += len(chunk)
                if size > _MAX_BYTES:
                    raise _download_error(tasks, f"it is longer than {_MAX_BYTES:,} bytes")
                digest.update(chunk)
                out.write(chunk)
    except httpx.HTTPStatusError as error:
        raise _download_error(tasks, f"the server answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise _download_error(tasks, str(error) or type(error).__name__) from error
    return digest.hexdigest()


def _download_error(tasks: PublishedTaskSet, reason: str) -> ConfigError:
    return ConfigError(
        f"'{tasks.name}' could not be downloaded from {tasks.url}: {reason}; "
        "where there is no network, fetch that file elsewhere and pass its path",
        field="tasks",
    )
