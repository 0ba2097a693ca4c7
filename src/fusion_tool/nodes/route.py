"""`route`: read the question, settle the configuration, choose strategy and seats."""

import secrets
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from fusion_tool import health
from fusion_tool.affordable import check_limits
from fusion_tool.config import FusionConfig
from fusion_tool.models.factory import check_models
from fusion_tool.panel_tools import check_tools, with_exclusions
from fusion_tool.question import read
from fusion_tool.recursion import refuse_inside_seat
from fusion_tool.routing.decide import Decision, decide
from fusion_tool.state import FusionState, Plan, Run
from fusion_tool.stored import stored
from fusion_tool.waves import asks, in_words, planned_waves
from fusion_tool.wiring import Progress, Wiring, session_ledger


async def route(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> dict[str, Any]:
    """Start a run, and reset what an earlier one on the same thread left.

    Raises:
        BudgetExceeded: The limits do not let the panel begin.
        ConfigError: No question, no usable configuration, or a model or tool of it cannot work.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    refuse_inside_seat()
    asked = read(state)
    given = wiring.settings(runtime)
    await health.prepare()
    decision = await decide(
        given, asked.question, asked.context, panel_tools=wiring.panel_tools, classifier=wiring.classifier
    )
    config = decision.config
    shell = await check(config, wiring.panel_tools, is_written=asked.is_written)
    roles = _roles(config, is_written=asked.is_written)
    check_limits(config, roles, asked.question + asked.context, session_ledger())
    run = Run(
        id=_run_id(state, runtime),
        question=asked.question,
        context=asked.context,
        instructions=asked.instructions,
        answer_schema=asked.answer_schema,
        from_messages=asked.from_messages,
        started=time.time(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        nonce=secrets.token_hex(6),
        config=stored(given),
        decided=None if config is given else stored(config),
    )
    plan = _plan(decision, shell)
    progress = Progress(runtime, run)
    progress.emit("run.started", question=asked.question)
    seats = [config.seat_labels[seat] for seat in plan["seats"]]
    progress.emit("plan.chosen", strategy=plan["strategy"], seats=seats, reason=plan["reason"])
    return {
        "run": run,
        "plan": plan,
        "wave": 0,
        "asks": asks(config, plan["waves"][0]),
        "agreed": None,
        "records": Overwrite([]),
        "judgement": None,
        "synthesis": None,
        "result": None,
    }


async def check(config: FusionConfig, panel_tools: Sequence[Any], *, is_written: bool = False) -> str:
    """Whether everything that a run needs can work here, before anything is paid for.

    Args:
        config: What the run uses.
        panel_tools: The caller's own tools.
        is_written: Whether a synthesizer is needed even where one seat is asked alone.

    Returns:
        What the shell is.

    Raises:
        ConfigError: A model or tool cannot work.
        SandboxUnavailable: The shell is required and does not work here.
    """
    check_models(_roles(config, is_written=is_written))
    with_exclusions(panel_tools, config)
    return await check_tools(config)


def _plan(decision: Decision, shell: str) -> Plan:
    config = decision.config
    waves = planned_waves(config)
    seats = [seat for wave in waves for seat in wave]
    labels = [config.seat_labels[seat] for seat in seats]
    chosen = decision.choice.reason if decision.choice else None
    reason = chosen or f"strategy {config.strategy}: {in_words(config.strategy, labels, len(waves[0]))}"
    return Plan(
        strategy=config.strategy,
        seats=seats,
        waves=waves,
        reason="; ".join((reason, *decision.notes)),
        bash=shell,
    )


def _run_id(state: FusionState, runtime: Runtime[FusionConfig]) -> str:
    """The id that the caller gave the run, as `RunnableConfig.run_id`; one of its own where it had none, or again."""
    given = runtime.execution_info.run_id if runtime.execution_info else None
    before = state.get("run")
    if given is None or (before and before["id"] == uuid.UUID(given).hex):
        return uuid.uuid4().hex
    return uuid.UUID(given).hex


def _roles(config: FusionConfig, *, is_written: bool) -> list[tuple[str, Any]]:
    seats = [(f"panel.{i}", seat) for i, seat in enumerate(config.panel)]
    writer = ("synthesizer", config.synthesizer_or_default)
    if config.strategy == "solo":
        return [*seats[:1], writer] if is_written else seats[:1]
    return [*seats, ("judge", config.judge_or_default), writer]
