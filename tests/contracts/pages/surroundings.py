"""What a run finds around it: environment variables, and the user's files."""

from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

from fusion_tool.api import run_store
from fusion_tool.api.response_store import SqliteResponses
from fusion_tool.evals.datasets import published_task_sets
from fusion_tool.models import outcomes
from fusion_tool.models.local.catalog import SMALLEST, local_model
from fusion_tool.models.providers import PROVIDERS, Provider
from fusion_tool.routing import profiles
from fusion_tool.routing.policy import private_data
from fusion_tool.tools.search.search import PROVIDERS as SEARCH_PROVIDERS
from fusion_tool.tools.search.search import ProviderSpec
from tests.contracts.pages.markdown import table

_HOMES = {"data": user_data_path, "cache": user_cache_path, "configuration": user_config_path}


def providers_table() -> str:
    """The providers that take a plain key."""
    rows = [
        (
            f"`{name}:`",
            _names(each.keys),
            f"`{each.base_url_variable}`" if each.base_url_variable else "-",
            _reached(each),
        )
        for name, each in PROVIDERS.items()
    ]
    return table(("models named", "key", "another address", "without LangChain's package"), rows)


def search_table() -> str:
    """The search providers, what each needs and what a search costs."""
    rows = [
        (f"`{spec.name}`", f"`{spec.variable}`" if spec.variable else "-", _price(spec))
        for spec in SEARCH_PROVIDERS.values()
    ]
    return table(("search provider", "variable", "list price of a search"), rows)


def _price(spec: ProviderSpec) -> str:
    if spec.fee is None:
        return "-"
    price = f"${spec.fee.request_usd:g}"
    if spec.fee.included_results is not None:
        price += f", and ${spec.fee.further_result_usd:g} for each result beyond {spec.fee.included_results}"
    return f"{price} ([{spec.fee.date}]({spec.fee.source}))"


def files_table() -> str:
    """Every file that the package keeps or reads in the user's folders."""
    return table(("file", "holds", "kept for", "deleted by"), _files())


def _files() -> Iterator[tuple[str, ...]]:
    yield (
        _shown(run_store.default_path()),
        "kept runs: question, what was read and answered",
        f"{run_store.KEEP_DAYS:g} days after the last step",
        "`fusion-tool runs delete RUN_ID`, `fusion-tool runs delete --older-than DAYS`",
    )
    yield (
        _shown(outcomes.default_path()),
        "how every call of a model ended; nothing that was said",
        f"{outcomes.KEEP_DAYS} days",
        "deleting the file; `health = false` stops it",
    )
    weights = local_model(SMALLEST).path
    yield _shown(weights), "a local model, its licence and record", "ever", "`fusion-tool model remove NAME`"
    yield (
        _shown(SqliteResponses().path),
        "whole results, with `cache = true`",
        "the day (UTC)",
        "deleting the file",
    )
    yield (
        _shown(user_cache_path("fusion-tool") / "tools.sqlite"),
        "searches and pages, where `cache_seconds` is set",
        "`cache_seconds`; what nobody asks for again stays in the file",
        "deleting the file",
    )
    yield (
        _shown(user_cache_path("fusion-tool") / "documents", "*.sqlite"),
        "one index a documents folder: its texts' words, and the texts",
        "ever",
        "deleting the file; it is made again",
    )
    yield (
        _shown(published_task_sets()["draco"].path.parent, "*.jsonl"),
        "downloaded evaluation tasks",
        "ever",
        "deleting the file",
    )
    for name, what, kept in (
        (profiles.OWN_FILE, "your [model profiles](routing.md#what-is-known-of-models)", "ever; only read"),
        (
            profiles.MEASURED_FILE,
            "scores that your evaluations measured",
            "ever; `fusion-tool eval profiles` writes it",
        ),
        (private_data.FILE, "your [patterns of private questions](#private-questions)", "ever; only read"),
    ):
        yield _shown(user_config_path("fusion-tool") / name), what, kept, "deleting the file"


def _shown(path: Path, below: str = "") -> str:
    kind = next(kind for kind, home in _HOMES.items() if path.is_relative_to(home("fusion-tool")))
    inside = path.relative_to(_HOMES[kind]("fusion-tool")) / below
    return f"{kind} folder: `{inside.as_posix()}`"


def _names(keys: tuple[str, ...]) -> str:
    return " or ".join(f"`{key}`" for key in keys)


def _reached(each: Provider) -> str:
    if not each.packaged:
        return f"{each.url}{each.path} (there is none)"
    return f"{each.url}{each.path}" if each.url else "comes with this one"
