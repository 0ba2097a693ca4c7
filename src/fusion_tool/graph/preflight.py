"""Checks before a run or a wave pays for anything: its models and tools work here, and nobody makes it ask for more."""

from collections.abc import Collection, Sequence
from contextvars import ContextVar
from typing import Any

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.graph.state import FusionState
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.models.factory import check_models
from fusion_tool.tools.build import ToolCheck, check_tools
from fusion_tool.tools.untrusted import apply_exclusions

# A context variable: it reaches whatever a seat's tools call, across awaits and tasks, and no other run beside it.
_inside_seat: ContextVar[bool] = ContextVar("fusion_inside_seat", default=False)


def mark_seat() -> None:
    """Mark all that is called from here on as the work of a seat: each node has a context of its own."""
    _inside_seat.set(True)


def forbid_nested_run() -> None:
    """Fail where the caller is a seat of another run.

    Raises:
        RecursionRefused: The caller is a seat.
    """
    if _inside_seat.get():
        raise RecursionRefused(
            "a fusion was started by a panelist of another fusion; take fusion_research out of panel_tools"
        )


def check_wave(state: FusionState, config: FusionConfig) -> None:
    """Refuse a next wave that the plan of the configuration cannot have: a checkpoint may have been edited.

    Each seat is asked once by the plan, and once more by a follow-up, where there is one.

    Args:
        state: The graph's state, before the wave.
        config: The run's configuration.

    Raises:
        ConfigError: The plan or the wave asks more than is configured; `field` names the part of the state.
    """
    plan, done = state["plan"], state["wave"]
    seats = set(range(len(config.panel)))
    if plan["strategy"] != strategy_named(config.strategy).name:
        raise ConfigError(f"'{plan['strategy']}' is not the run's strategy", field="plan.strategy")
    if not _are_distinct([seat for wave in plan["waves"] for seat in wave], seats):
        raise ConfigError("expected each seat of the panel once at most", field="plan.waves")
    if not 0 <= done < len(plan["waves"]) + config.follow_up:
        raise ConfigError(f"no wave is left after {done}", field="wave")
    if not _are_distinct([ask["seat"] for ask in state["asks"]], seats):
        raise ConfigError("expected each seat of the panel once at most", field="asks")


def _are_distinct(chosen: Sequence[int], seats: set[int]) -> bool:
    return len(set(chosen)) == len(chosen) and seats.issuperset(chosen)


async def check_run(
    config: FusionConfig,
    panel_tools: Sequence[Any],
    *,
    needs_synthesizer: bool = False,
    keyed: Collection[str] = (),
) -> ToolCheck:
    """Check that everything that a run needs can work here, before anything is paid for.

    Args:
        config: The run's configuration.
        panel_tools: The caller's own tools.
        needs_synthesizer: Whether a synthesizer is needed even where one seat is asked alone.
        keyed: Providers to treat as having a key.

    Returns:
        What the seats' shell and documents come to.

    Raises:
        ConfigError: A model or tool cannot work.
        SandboxUnavailable: The shell is required and does not work here.
    """
    check_models(strategy_named(config.strategy).roles(config, needs_synthesizer=needs_synthesizer), keyed=keyed)
    # For its refusal alone: the seats' tools are made anew for each wave.
    apply_exclusions(panel_tools, config)
    return await check_tools(config)
