"""What an evaluation measured of models, written where the router prefers it to what was published."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fusion_tool.config.storage import config_path, modified_at, read_toml
from fusion_tool.evals.results import Results
from fusion_tool.evals.scoring import score_rows
from fusion_tool.evals.statistics import Mean, mean_of
from fusion_tool.evals.storage import write_atomically
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.classifier.signals import DOMAINS, Domain
from fusion_tool.routing.profiles import MEASURED_FILE, load_profiles, profile_of

LEAST = 10
"""Tasks below which a domain's score steers nobody."""


@dataclass(frozen=True)
class MeasuredScore:
    """One model's score in one domain.

    Args:
        model: As the arm asked it.
        profile: Its profile's id; `None` where it has none.
        domain: The router's.
        mean: Over the tasks, refusals as 0.
        why_not: Why it is not written; `None` where it is.
    """

    model: str
    profile: str | None
    domain: Domain
    mean: Mean
    why_not: str | None = None


def measure_scores(results: Results, *, min_tasks: int = LEAST, folder: Path | None = None) -> list[MeasuredScore]:
    """What the folder's arms of a single model measured, by the router's domains.

    A task's own domain counts where it is one of the router's, else what the router makes of the question: that is the
    domain in which the score will be looked up.

    Args:
        results: The folder.
        min_tasks: Tasks below which a domain is not to be written.
        folder: Where the user's profiles are; by default this user's configuration folder.

    Raises:
        ConfigError: The profiles that are there cannot be read.
    """
    profiles, found = load_profiles(folder), list[MeasuredScore]()
    for name, model in _single_models(results):
        known = profile_of(model, profiles)
        for domain, mean in _by_domain(results, name).items():
            why = None
            if known is None:
                why = f'no profile: give {MEASURED_FILE.replace(".measured", "")} a table ["{model}"] first'
            elif mean.n < min_tasks:
                why = f"only {mean.n} tasks, fewer than {min_tasks}"
            elif any(score.profile == known.id and score.domain == domain and not score.why_not for score in found):
                why = "measured by an earlier arm"
            found.append(MeasuredScore(model, known.id if known else None, domain, mean, why))
    return found


def write_profiles(results: Results, scores: list[MeasuredScore], folder: Path | None = None) -> Path:
    """Write those of `scores` that are to be written; what the file has of other models and domains stays.

    Returns:
        The file.

    Raises:
        ConfigError: The file that is there cannot be read.
        FusionError: It cannot be written.
    """
    path = (folder or config_path()) / MEASURED_FILE
    tables = {} if modified_at(path) is None else read_toml(path)
    for score in scores:
        if score.profile and not score.why_not:
            tables.setdefault(score.profile, {}).setdefault("scores", {})[score.domain] = _score(results, score)
    write_atomically(path, "# Written by 'fusion-tool eval profiles'.\n\n" + "\n".join(_toml(tables)))
    load_profiles(folder)
    return path


def _single_models(results: Results) -> Iterator[tuple[str, str]]:
    """The arms that are one model alone, those with tools first."""
    solo = [
        (name, record.config)
        for name, record in results.manifest.arms.items()
        if record.config and strategy_named(record.config["strategy"]).is_single and record.kind != "replay"
    ]
    for name, config in sorted(solo, key=lambda pair: pair[1]["search"] is None):
        yield name, config["panel"][0]["model"]


def _by_domain(results: Results, arm: str) -> dict[Domain, Mean]:
    scores = score_rows(results, [row for (name, _), row in results.answer_rows.items() if name == arm])
    values: defaultdict[Domain, list[float]] = defaultdict(list)
    for task in results.tasks.tasks:
        score = scores.get(task.id)
        worth = 0.0 if score and score.refused else score.score if score else None
        if worth is not None:
            own = task.domain.casefold().replace(" ", "_")
            values[next((domain for domain in DOMAINS if domain == own), classify(task.question).domain)].append(worth)
    return {domain: mean_of(given, bounds=(0, 1)) for domain, given in sorted(values.items())}


def _score(results: Results, score: MeasuredScore) -> dict[str, Any]:
    reach = score.mean.interval
    interval = f", 95 % interval {reach.low * 100:.1f} to {reach.high * 100:.1f}" if reach else ""
    judge = results.manifest.judge_model
    graded = f", judge {judge.model_name}" if judge else ""
    return {
        "score": round(score.mean.value * 100, 2),
        "benchmark": f"{results.manifest.tasks} {results.manifest.fingerprint[:8]}",
        "source": f"fusion-tool eval: n = {score.mean.n}{interval}{graded}",
        "date": datetime.now(UTC).date(),
    }


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
    """A TOML basic string, which is JSON's but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
