"""`route`: read the question, settle the configuration, choose strategy and seats."""

import asyncio
import uuid
from typing import Any, NamedTuple

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from fusion_tool.budget.admission import check_limits
from fusion_tool.budget.ledger import Ledger
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import RunStarted
from fusion_tool.graph.duration import deadline_warning, load_measurements
from fusion_tool.graph.earlier import EarlierRun, carry_over, earlier_text
from fusion_tool.graph.inputs import RunInput, parse_input
from fusion_tool.graph.limits import session_ledger
from fusion_tool.graph.preflight import check_run, forbid_nested_run
from fusion_tool.graph.progress import plan_chosen
from fusion_tool.graph.runtime import EventEmitter, GraphOptions
from fusion_tool.graph.state import NO_OUTCOME, FusionState, Plan, new_run
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.models.health import tracker_for
from fusion_tool.models.providers import has_own_server
from fusion_tool.routing.decide import Decision, decide
from fusion_tool.tools.build import ToolCheck


async def route(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> dict[str, Any]:
    """Start a run, and reset what an earlier one on the same thread left.

    Raises:
        BudgetExceeded: The limits do not let the panel begin.
        ConfigError: No question, no usable configuration, or a model or tool of it cannot work.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    # First of all, so that a fusion inside a fusion costs nothing.
    forbid_nested_run()
    base = options.config_for(runtime)
    request, decision, tools, earlier = await settle_run(state, base, options, session=session_ledger())
    config, strategy = decision.config, strategy_named(decision.config.strategy)
    # Both are stored: a resumed run is compared with what its caller set, and goes on with what was made of it.
    run = new_run(
        base,
        request.question,
        context=request.context,
        instructions=request.instructions,
        answer_schema=request.answer_schema,
        max_tokens=request.max_tokens,
        earlier=earlier,
        from_messages=request.from_messages,
        run_id=_run_id(state, runtime),
        decided=None if config is base else config,
    )
    plan = _plan(decision, tools)
    events = EventEmitter(runtime, run)
    events.emit(RunStarted(type="run.started", **events.stamp, question=request.question))
    events.tell(plan_chosen, plan, config)
    return {
        "run": run,
        "plan": plan,
        "wave": 0,
        "asks": strategy.assignments(config, plan["waves"][0]),
        "agreed": None,
        "records": Overwrite([]),  # a list would be merged with what the thread's last run left
        **NO_OUTCOME,
    }


class SettledRun(NamedTuple):
    """A run that may begin: what is asked, how, with which tools, and what an earlier run hands over."""

    request: RunInput
    decision: Decision
    tools: ToolCheck
    earlier: EarlierRun | None


async def settle_run(  # noqa: PLR0913 - keyword options, each with a default
    state: FusionState,
    base: FusionConfig,
    options: GraphOptions,
    *,
    session: Ledger | None = None,
    keyed: frozenset[str] | None = None,
    nearest: bool = False,
) -> SettledRun:
    """Decide how a run works, and refuse one that cannot, before anything is spent.

    Args:
        state: The graph's input.
        base: The caller's configuration.
        options: What the graph was given.
        session: The ledger of the session that the run is part of; `None` for none.
        keyed: As for `decide`.
        nearest: As for `decide`; limits that the plan does not meet then refuse nothing.

    Raises:
        BudgetExceeded: The limits do not let the panel begin.
        ConfigError: No question, no usable configuration, or a model or tool of it cannot work.
        SandboxUnavailable: The shell is required and does not work here.
    """
    request = parse_input(state, base.instructions)
    # Before anything is decided: what other processes learnt since counts for the order of the models, too.
    if health := tracker_for(base):
        await health.load_recent()
    earlier = carry_over(request.earlier, base) if request.earlier else None
    # What an earlier run found is read like the context: by the rules of what is private, and by the limits.
    known = request.context + earlier_text(earlier)
    decision = await decide(
        base,
        request.question,
        known,
        instructions=request.instructions,
        stays_local_by=earlier["stays_local"] if earlier else None,
        panel_tools=options.panel_tools,
        classifier=options.classifier,
        keyed=keyed,
        nearest=nearest,
    )
    config, needs_synthesizer = decision.config, request.needs_synthesizer
    if any(map(has_own_server, config.roles)):  # of others nothing is measured
        await asyncio.to_thread(load_measurements, config)
    tools = await check_run(config, options.panel_tools, needs_synthesizer=needs_synthesizer, keyed=keyed or ())
    strategy = strategy_named(config.strategy)
    if not nearest:
        # Of what was decided, not of what was configured: the router may have chosen fewer and cheaper models.
        check_limits(
            config,
            strategy.roles(config, needs_synthesizer=needs_synthesizer),
            request.question + known,
            parts=strategy.limit_parts(config),
            session=session,
        )
    return SettledRun(request, decision, tools, earlier)


def _plan(decision: Decision, tools: ToolCheck) -> Plan:
    config = decision.config
    strategy = strategy_named(config.strategy)
    waves = strategy.waves(config)
    seats, names = [seat for wave in waves for seat in wave], config.seat_labels
    labels = [names[seat] for seat in seats]
    chosen = decision.choice.reason if decision.choice else None
    reason = chosen or f"strategy {strategy.name}: {strategy.describe(labels, len(waves[0]))}"
    return Plan(
        strategy=strategy.name,
        seats=seats,
        waves=waves,
        reason="; ".join(filter(None, (reason, *decision.notes, deadline_warning(config)))),
        bash=tools.shell,
        documents=None if tools.documents is None else tools.documents.coverage(),
    )


def _run_id(state: FusionState, runtime: Runtime[FusionConfig]) -> str | None:
    """Return the caller's `RunnableConfig.run_id`; `None` where there is none, or the thread's last run had it."""
    caller_id = runtime.execution_info.run_id if runtime.execution_info else None
    # A retried thread comes again with the same id; records of two runs under one id would be taken for one run's.
    previous = state.get("run")
    if caller_id is None or (previous and previous["id"] == uuid.UUID(caller_id).hex):
        return None
    return uuid.UUID(caller_id).hex
