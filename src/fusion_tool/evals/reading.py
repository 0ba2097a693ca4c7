"""Task sets from files: JSON Lines in the project's own shape or in DRACO's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fusion_tool.errors import ConfigError
from fusion_tool.evals.published import published
from fusion_tool.evals.tasks import Exclude, Task, TaskSet


def read_tasks(path: str | Path) -> TaskSet:
    """The task set in a file, one JSON object a line.

    A row is `{"id", "question", "domain", "rubric" | "reference", "exclude"}`. A rubric is a list of criteria
    `{"id", "requirement", "weight", "axis"}`, or of texts, which weigh 1 each. DRACO's own rows
    (`{"id", "domain", "problem", "answer"}`, the answer a rubric in sections, as JSON in a string; source:
    https://huggingface.co/datasets/perplexity-ai/draco) are told by their `problem`, and bring the exclusions that
    belong to that benchmark.

    Raises:
        ConfigError: The file cannot be read, or a row is wrong; it names file, line number and field.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", field="tasks") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}", field="tasks") from error
    exclude, tasks, lines = Exclude(), [], dict[str, int]()
    for number, row in _rows(path, text):
        task = _task(path, number, row)
        if (first := lines.setdefault(task.id, number)) != number:
            raise ConfigError(f"'{task.id}' is the id of line {first} too ({_at(path, number)})", field="id")
        exclude = published()["draco"].exclude if "problem" in row else exclude
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
        return Task.model_validate(_own_shape(row))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "task"
        message = "missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{message} ({_at(path, number)})", field=field) from None
    except ValueError as error:
        raise ConfigError(f"{error} ({_at(path, number)})", field="rubric") from None


def _own_shape(row: dict[str, Any]) -> dict[str, Any]:
    if "problem" in row:
        row = {"question" if key == "problem" else "rubric" if key == "answer" else key: row[key] for key in row}
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
        rubric = [_in_section(one, section) for section in sections for one in section.get("criteria") or ()]
    if not isinstance(rubric, list) or not rubric:
        raise ValueError("a rubric needs at least one criterion")
    return [{"id": str(n), "requirement": one} if isinstance(one, str) else one for n, one in enumerate(rubric, 1)]


def _in_section(criterion: Any, section: dict[str, Any]) -> Any:
    return {"axis": section.get("id")} | criterion if isinstance(criterion, dict) else criterion


def _at(path: Path, number: int) -> str:
    return f"{path}, line {number}"
