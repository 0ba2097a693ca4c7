"""`route`: read the question, settle the configuration, choose strategy and seats."""

import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from fusion_tool.budget.admission import check_limits
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import stored
from fusion_tool.graph.inputs import read
from fusion_tool.graph.limits import session_ledger
from fusion_tool.graph.preflight import _roles, check, refuse_inside_seat
from fusion_tool.graph.runtime import Progress, Wiring
from fusion_tool.graph.state import FusionState, Plan, Run
from fusion_tool.graph.strategies import asks, in_words, planned_waves
from fusion_tool.models import health
from fusion_tool.routing.decide import Decision, decide


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
