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
from fusion_tool.graph.preflight import check_run, forbid_nested_run
from fusion_tool.graph.runtime import EventEmitter, GraphOptions
from fusion_tool.graph.state import FusionState, Plan, Run
from fusion_tool.graph.strategies import strategy_named
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
    strategy = strategy_named(config.strategy)
    check_limits(
        config,
        strategy.roles(config, needs_synthesizer=asked.needs_synthesizer),
        asked.question + asked.context,
        parts=strategy.limit_parts(config),
        session=session_ledger(),
    )
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
        "asks": strategy.assignments(config, plan["waves"][0]),
        "agreed": None,
        "records": Overwrite([]),
        "judgement": None,
        "synthesis": None,
        "result": None,
    }


def _plan(decision: Decision, shell: str) -> Plan:
    config = decision.config
    strategy = strategy_named(config.strategy)
    waves = strategy.waves(config)
    seats = [seat for wave in waves for seat in wave]
    labels = [config.seat_labels[seat] for seat in seats]
    chosen = decision.choice.reason if decision.choice else None
    reason = chosen or f"strategy {strategy.name}: {strategy.describe(labels, len(waves[0]))}"
    return Plan(
        strategy=strategy.name,
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
