"""Measured profiles: scores of single models by domain, and of casts, in the file that counts before published ones."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from fusion_tool.config.storage import config_path, modified_at, read_toml
from fusion_tool.evals.casts import MeasuredCast
from fusion_tool.evals.results import Results
from fusion_tool.evals.scoring import score_rows
from fusion_tool.evals.statistics import Mean, mean_of
from fusion_tool.evals.storage import write_atomically
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.classifier.signals import DOMAINS, Domain
from fusion_tool.routing.profiles import MEASURED_FILE, load_profiles, profile_of

MIN_TASKS = 10
"""Number of tasks below which a domain's score is not written."""


@dataclass(frozen=True)
class MeasuredScore:
    """One model's score in one domain.

    Args:
        model: The model as the arm names it.
        profile: Its profile's id; `None` where it has none.
        domain: One of the router's domains.
        mean: Mean over the domain's tasks, refusals as 0.
        rejection: The reason why it is not written; `None` where it is.
    """

    model: str
    profile: str | None
    domain: Domain
    mean: Mean
    rejection: str | None = None


def measure_scores(results: Results, *, min_tasks: int = MIN_TASKS, folder: Path | None = None) -> list[MeasuredScore]:
    """Compute the scores of the folder's single models by the router's domains.

    A task's own domain counts where it is one of the router's, else what the router makes of the question: that is the
    domain in which the score will be looked up.

    Args:
        results: The folder.
        min_tasks: Number of tasks below which a domain is not written.
        folder: The folder of the user's profiles; `None` for this user's configuration folder.

    Raises:
        ConfigError: The profiles that are there cannot be read.
    """
    profiles, scores = load_profiles(folder), list[MeasuredScore]()
    for name, model in _single_models(results):
        profile = profile_of(model, profiles)
        for domain, mean in _by_domain(results, name).items():
            rejection = None
            if profile is None:
                # A table of scores alone is no profile: the router needs vendor, family and price of what it chooses.
                rejection = f'no profile: give {MEASURED_FILE.replace(".measured", "")} a table ["{model}"] first'
            elif mean.n < min_tasks:
                rejection = f"only {mean.n} tasks, fewer than {min_tasks}"
            elif any(
                score.profile == profile.id and score.domain == domain and not score.rejection for score in scores
            ):
                rejection = "measured by an earlier arm"
            scores.append(MeasuredScore(model, profile.id if profile else None, domain, mean, rejection))
    return scores


def write_profiles(
    results: Results,
    scores: Iterable[MeasuredScore],
    casts: Iterable[MeasuredCast] = (),
    *,
    folder: Path | None = None,
) -> Path:
    """Write those of `scores` and `casts` that have no reason against it; what else is in the file stays.

    Returns:
        The file.

    Raises:
        ConfigError: The file that is there cannot be read.
        FusionError: It cannot be written.
    """
    path, tables = _measured_tables(folder)
    for score in scores:
        if score.profile and not score.rejection:
            rows = tables.setdefault(score.profile, {}).setdefault("scores", {})
            rows[score.domain] = _row(results, score.mean)
    for cast in casts:
        judge, writer = cast.profiles
        if judge and writer and not cast.rejection:
            row = _row(results, cast.mean, panel=f", panel {cast.panel}") | {"judge": judge}
            table = tables.setdefault(writer, {})
            others = [old for old in table.get("writes", []) if any(old[key] != row[key] for key in _CAST)]
            table["writes"] = [*others, row]
    _write(path, tables)
    return path


_CAST = ("benchmark", "judge")
"""What tells one row of a writer from another."""


def mark_stale(models: Iterable[str], day: date, folder: Path | None = None) -> list[str]:
    """Mark what was measured of `models` as stale since `day`: the router says so, and does not use it.

    Args:
        models: As a configuration names them.
        day: The day on which they were found changed.
        folder: As for `write_profiles`.

    Returns:
        The models of which something was measured, each by its profile's id.

    Raises:
        ConfigError: The file that is there cannot be read.
        FusionError: It cannot be written.
    """
    profiles, (path, tables) = load_profiles(folder), _measured_tables(folder)
    changed = {profile.id for model in models if (profile := profile_of(model, profiles)) is not None}
    marked: dict[str, None] = {}
    for name, table in tables.items():
        scores = [
            row for rows in table.get("scores", {}).values() for row in (rows if isinstance(rows, list) else [rows])
        ]
        for row in (*scores, *table.get("writes", [])):
            # A cast is the work of both.
            if "stale_since" not in row and (models_of := {name, row.get("judge")} & changed):
                row["stale_since"] = day
                marked |= dict.fromkeys(models_of)
    if marked:
        _write(path, tables)
    return list(marked)


def _measured_tables(folder: Path | None) -> tuple[Path, dict[str, Any]]:
    """Return the file of measured profiles and its tables, none where it is not there."""
    path = (folder or config_path()) / MEASURED_FILE
    return path, {} if modified_at(path) is None else read_toml(path)


def _write(path: Path, tables: Mapping[str, Any]) -> None:
    write_atomically(path, "# Written by 'fusion-tool eval profiles'.\n\n" + "\n".join(_toml(tables)))
    load_profiles(path.parent)  # read back at once: a file that cannot be read would otherwise fail a later run


def _single_models(results: Results) -> Iterator[tuple[str, str]]:
    """Yield name and model of the arms of a single model, those with tools first."""
    solo = [
        (name, record.config)
        for name, record in results.manifest.arms.items()
        if record.config and strategy_named(record.config["strategy"]).is_single and record.kind != "replay"
    ]
    # Of two arms of one model the first is written: the one with search, as the router's seats have it.
    for name, config in sorted(solo, key=lambda pair: pair[1]["search"] is None):
        yield name, config["panel"][0]["model"]


def _by_domain(results: Results, arm: str) -> dict[Domain, Mean]:
    scores = score_rows(results, results.arm_rows(arm))
    values: defaultdict[Domain, list[float]] = defaultdict(list)
    for task in results.tasks.tasks:
        score = scores.get(task.id)
        if score is not None and (value := score.score_refusal_zero) is not None:
            name = task.domain.casefold().replace(" ", "_")
            values[next((domain for domain in DOMAINS if domain == name), classify(task.question).domain)].append(value)
    return {domain: mean_of(row, bounds=(0, 1)) for domain, row in sorted(values.items())}


def _row(results: Results, mean: Mean, *, panel: str = "") -> dict[str, Any]:
    bounds = mean.interval
    interval = f", 95 % interval {bounds.low * 100:.1f} to {bounds.high * 100:.1f}" if bounds else ""
    judge = results.manifest.judge_model
    grading = f", judge {judge.model_name}" if judge else ""
    return {
        "score": round(mean.value * 100, 2),
        # With the fingerprint: the router compares scores of one benchmark, and a changed task set is another one.
        "benchmark": f"{results.manifest.tasks} {results.manifest.fingerprint[:8]}{panel}",
        "source": f"fusion-tool eval: n = {mean.n}{interval}{grading}",
        "date": datetime.now(UTC).date(),
    }


# Python's own `tomllib` only reads; the few forms that a profile has need no library.
def _toml(tables: Mapping[str, Any]) -> Iterator[str]:
    for model, table in tables.items():
        yield f"[{_text(model)}]"
        yield from (f"{key} = {_value(value)}" for key, value in table.items() if key != "scores")
        yield f"[{_text(model)}.scores]"
        yield from (f"{_text(domain)} = {_value(row)}" for domain, row in table.get("scores", {}).items())
        yield ""


def _value(value: Any) -> str:
    match value:
        case dict():
            return f"{{ {', '.join(f'{_text(key)} = {_value(value)}' for key, value in value.items())} }}"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case _:
            return str(value)


def _text(text: str) -> str:
    """Return a TOML basic string, which is JSON's but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
