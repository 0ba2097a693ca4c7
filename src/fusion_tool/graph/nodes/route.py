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
from fusion_tool.config.serialization import dump_config
from fusion_tool.graph.inputs import parse_input
from fusion_tool.graph.limits import session_ledger
from fusion_tool.graph.preflight import _roles, check_run, forbid_nested_run
from fusion_tool.graph.runtime import EventEmitter, GraphOptions
from fusion_tool.graph.state import FusionState, Plan, Run
from fusion_tool.graph.strategies import describe_strategy, planned_waves, seat_assignments
from fusion_tool.models import health
from fusion_tool.routing.decide import Decision, decide


async def route(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> dict[str, Any]:
    """Start a run, and reset what an earlier one on the same thread left.

    Raises:
        BudgetExceeded: The limits do not let the panel begin.
        ConfigError: No question, no usable configuration, or a model or tool of it cannot work.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    forbid_nested_run()
    asked = parse_input(state)
    given = options.config_for(runtime)
    await health.load_recent()
    decision = await decide(
        given, asked.question, asked.context, panel_tools=options.panel_tools, classifier=options.classifier
    )
    config = decision.config
    shell = await check_run(config, options.panel_tools, needs_synthesizer=asked.needs_synthesizer)
    roles = _roles(config, is_written=asked.needs_synthesizer)
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
        config=dump_config(given),
        decided=None if config is given else dump_config(config),
    )
    plan = _plan(decision, shell)
    progress = EventEmitter(runtime, run)
    progress.emit("run.started", question=asked.question)
    seats = [config.seat_labels[seat] for seat in plan["seats"]]
    progress.emit("plan.chosen", strategy=plan["strategy"], seats=seats, reason=plan["reason"])
    return {
        "run": run,
        "plan": plan,
        "wave": 0,
        "asks": seat_assignments(config, plan["waves"][0]),
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
    reason = chosen or f"strategy {config.strategy}: {describe_strategy(config.strategy, labels, len(waves[0]))}"
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
