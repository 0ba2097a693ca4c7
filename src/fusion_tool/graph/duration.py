"""How long a run takes where models of the user's own machines work in it: told before it begins, and its deadline.

Their servers are taken to work on one call after the other, as llama.cpp's and Ollama's do by default.
"""

from collections.abc import Iterator
from typing import NamedTuple

from fusion_tool.budget.amounts import CallCount
from fusion_tool.budget.usage import StageName
from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.events import format_duration
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.models.abilities import known_abilities, load_abilities
from fusion_tool.models.providers import has_own_server, with_model
from fusion_tool.models.speed import assumed_speed, known_speed, load_speed

_SPARE = 3.0
"""How much longer than expected a run may take where no deadline is set: the machine may get busy meanwhile."""


class _Tokens(NamedTuple):
    """Tokens of a call as they were seen: instructions, sources where there are any, and what is written."""

    rules: int
    sources: int
    written: int


_PROSE, _CLAIMS = _Tokens(350, 2400, 220), _Tokens(120, 400, 60)
"""A seat that answers in its own words, and one that makes claims from shortened sources."""
_JUDGE, _VERIFIER = _Tokens(750, 0, 260), _Tokens(300, 1200, 60)
_TOOL_CALL = 60
"""Tokens of a tool call; what it brings is as long as the sources that are gathered for a seat that makes none."""
_USUAL_TURNS = 2
"""Tool turns of a seat that looks for itself: a search, and what it leads to."""


class _Work(NamedTuple):
    """What a role's model is expected to read and write; `often` is how often it is asked."""

    stage: StageName
    panelist: Panelist
    often: float
    read: float
    written: float


def load_measurements(config: FusionConfig) -> None:
    """Read what was measured of the configuration's local models; done in a thread, before a run is planned."""
    for panelist in config.roles:
        load_abilities(panelist)
        load_speed(panelist)


def expected_seconds(config: FusionConfig) -> float | None:
    """Return how long a run's models on the user's own servers are expected to work, in seconds.

    Args:
        config: The run's configuration, after `load_measurements`.

    Returns:
        `None` where no such model works in it, or the speed of one is not known yet.
    """
    work = list(_own_work(config, at_most=False))
    if not work or any(known_speed(part.panelist) is None for part in work):
        return None
    return sum(map(_seconds, work))


def run_seconds(config: FusionConfig) -> float:
    """Return the deadline of a run in seconds: what is set, else what its work needs on the machines that do it."""
    if config.limits.seconds is not None:
        return config.limits.seconds
    return max(RUN_SECONDS, _SPARE * _needed_seconds(config, at_most=True))


def deadline_warning(config: FusionConfig) -> str | None:
    """Return why the deadlines that are set will not do, and what would; `None` where they may, or nothing is known."""
    limits, expected = config.limits, expected_seconds(config)
    if expected is None:
        return None
    if limits.seconds is not None and limits.seconds < (needed := _needed_seconds(config, at_most=False)):
        return (
            f"it needs about {format_duration(needed)} on this machine, more than limits.seconds = {limits.seconds:g} "
            "leaves it: raise it, or leave it out"
        )
    slowest = max((_seconds(part) for part in _own_work(config, at_most=False) if part.stage == "panelist"), default=0)
    if limits.seat_seconds is not None and limits.seat_seconds < slowest:
        return (
            f"a seat needs about {format_duration(slowest)} on this machine, more than limits.seat_seconds = "
            f"{limits.seat_seconds:g}: raise it, or leave it out"
        )
    return None


def _needed_seconds(config: FusionConfig, *, at_most: bool) -> float:
    """Return the deadline by which each stage has the time that its work takes, in seconds."""
    shares, gone, needed = strategy_named(config.strategy).shares_of(config), 0.0, 0.0
    for part in _own_work(config, at_most=at_most):  # in the order of the stages
        gone += _seconds(part)
        needed = max(needed, gone / shares[part.stage])
    return needed


def _seconds(work: _Work) -> float:
    speed = known_speed(work.panelist) or assumed_speed(work.panelist)
    return work.often * speed.seconds(work.read, work.written)


def _own_work(config: FusionConfig, *, at_most: bool) -> Iterator[_Work]:
    """Yield the work of the models on the user's own servers, stage by stage; with `at_most` all that may be asked."""
    odds = strategy_named(config.strategy).expected_calls(config)
    answers, readers = 0, set[str]()
    for panelist, count in zip(config.panel, odds.seats, strict=False):
        for model in _own_models(panelist, at_most=at_most):
            tokens = _tokens_of_seat(model)
            # What the seats of one model share comes from its server's cache; under other seats' calls it may be lost.
            is_cached = model.model_name in readers and not at_most
            readers.add(model.model_name)
            turns = _tool_turns(config, model, at_most=at_most)
            sources = tokens.sources * (turns or int(config.has_sources and not is_cached))
            answers += tokens.written
            often = count.maximum if at_most else count.expected
            written = turns * _TOOL_CALL + _at_most(model, tokens.written)
            yield _Work("panelist", model, often, tokens.rules + sources, written)
    writer = config.synthesizer_or_default  # it writes as its model does in a seat, from the answers
    later: list[tuple[StageName, Panelist, CallCount, _Tokens]] = [
        ("judge", config.judge_or_default, odds.judge, _JUDGE),
        ("synthesizer", writer, odds.synthesizer, _tokens_of_seat(writer)._replace(sources=0)),
    ]
    if config.verifier and config.has_tools:
        later.append(("verifier", config.verifier, CallCount(1.0, 1), _VERIFIER))
    for stage, panelist, count, tokens in later:
        for model in _own_models(panelist, at_most=at_most):
            often = count.maximum if at_most else count.expected
            read = tokens.rules + tokens.sources + (answers if stage != "verifier" else 0)
            yield _Work(stage, model, often, read, _at_most(model, tokens.written))


def _own_models(panelist: Panelist, *, at_most: bool) -> list[Panelist]:
    names = (panelist.model, *panelist.fallbacks) if at_most else (panelist.model,)
    return [model for name in names if has_own_server(model := with_model(panelist, name))]


def _tool_turns(config: FusionConfig, panelist: Panelist, *, at_most: bool) -> int:
    """Return in how many turns a seat looks for itself; none where its model showed that it does not, or is untried."""
    abilities = known_abilities(panelist)
    if not (config.has_tools and abilities and abilities.calls_tools and abilities.cites):
        return 0
    return config.max_tool_calls if at_most else min(_USUAL_TURNS, config.max_tool_calls)


def _tokens_of_seat(panelist: Panelist) -> _Tokens:
    abilities = known_abilities(panelist)
    return _CLAIMS if abilities and not abilities.cites else _PROSE


def _at_most(panelist: Panelist, tokens: int) -> int:
    return tokens if panelist.max_tokens is None else min(tokens, panelist.max_tokens)
