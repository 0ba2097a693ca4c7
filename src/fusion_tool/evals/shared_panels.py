"""Shared panels: runs of arms through the graph, where a panel is asked once and each arm continues from its answers.

The graph is stopped before its judge; that state, with the seats' records and the fences' nonce, is the panel. An arm's
run begins as a copy of it, so that judges and synthesizers read the same bytes. A run that a killed process left is
resumed, seat by seat. Strategies whose judge decides which seats come next have no panel apart from their run.
"""

import hashlib
import json
import time
from asyncio import Lock
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusion_tool.api.run_store import RunStore
from fusion_tool.budget.session import SESSION_KEY, Session
from fusion_tool.budget.usage import Call
from fusion_tool.config.choices import AUTO
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.serialization import dump_config
from fusion_tool.evals.arms import RecordedAnswer
from fusion_tool.evals.rows import PanelRow
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.limits import elapsed_work
from fusion_tool.graph.result import FusionResult
from fusion_tool.graph.runtime import LISTENER_KEY
from fusion_tool.graph.state import NO_OUTCOME, Failure, Plan, SeatRecord, new_run
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.decide import decide

_LATER_ROLES = ("judge", "synthesizer")
_IRRELEVANT_FIELDS = (*_LATER_ROLES, "cache", "list_sources", "summary_tokens", "trace_content", "health")
"""Configuration fields that do not change what a panel is asked."""


class SharedPanels:
    """The runs of a results folder.

    Args:
        store: Where the runs are kept.
        session: The limits over all runs together; `None` for no limit.
        on_panel: Called with each panel that has answered, a resumed one again; `None` for no call.
    """

    def __init__(
        self,
        store: RunStore,
        session: Session | None = None,
        on_panel: Callable[[PanelRow], object] | None = None,
    ) -> None:
        self._store, self._session, self._on_panel = store, session, on_panel
        # Without a configuration: each run brings its arm's own, and all arms share the compiled graph.
        self._graph: Any = build_graph(checkpointer=store.saver)
        self._panel_locks: defaultdict[str, Lock] = defaultdict(Lock)

    async def answer(self, arm: str, question: str, config: FusionConfig) -> FusionResult:
        """Run `config` on `question`, or resume that run; what is paid for is not paid again.

        Raises:
            PanelFailed: There is no usable answer; another call asks the seats again.
            FusionError: As `afuse`.
        """
        run, panel = self._thread(_run_key(arm, question, config)), panel_key(question, config)
        if panel is None:
            # LangGraph takes an input for a new run of the thread, and `None` for going on where it stopped.
            values = (await self._graph.aget_state(run)).values
            return await self._finish(run, None if values else {"question": question}, config)
        async with self._panel_locks[panel]:  # two arms that share it ask it once
            state = await self._panel_state(panel, question, config)
        return await self._continue(run, state, config)

    async def continue_recorded(
        self, arm: str, question: str, recorded: RecordedAnswer, config: FusionConfig
    ) -> FusionResult:
        """Run the judge and the synthesizer of `config` over a recorded panel."""
        # With a provider that does not exist: a recorded seat must never be taken for one that can be called.
        seats = tuple(Panelist(model=f"recorded:{seat.model}") for seat in recorded.seats)
        recorded_config = config.model_copy(update={"panel": seats})
        state = _recorded_state(question, [(seat.model, seat.answer) for seat in recorded.seats], recorded_config)
        return await self._continue(self._thread(_run_key(arm, question, config)), state, recorded_config)

    async def discard(self, arm: str, question: str, config: FusionConfig, *, failed: bool = False) -> None:
        """Delete a run whose row is written; with `failed` its panel, too, so that it is asked again."""
        await self._store.delete(_run_key(arm, question, config))
        panel = panel_key(question, config)
        if failed and panel is not None:
            await self._store.delete(f"panel-{panel}")

    async def _panel_state(self, panel: str, question: str, config: FusionConfig) -> Mapping[str, Any]:
        """Run the graph up to its judge, and return the state with all seats' answers."""
        thread = self._thread(f"panel-{panel}")
        state = await self._graph.aget_state(thread)
        if state.next != ("judge",):
            inputs = None if state.values else {"question": question}
            # Each step is on disk before the next is paid for; by default LangGraph writes beside the next step.
            await self._graph.ainvoke(inputs, thread, context=config, interrupt_before=["judge"], durability="sync")
            await self._store.drop_intermediate_steps(f"panel-{panel}")
        values: Mapping[str, Any] = (await self._graph.aget_state(thread)).values
        # Reported by every arm that shares it: the process may have been killed before the first could.
        if self._on_panel:
            calls = tuple(Call.model_validate(call) for record in values["records"] for call in record["calls"])
            self._on_panel(PanelRow(panel=panel, run_id=values["run"]["id"], calls=calls))
        return values

    async def _continue(self, run: Any, state: Mapping[str, Any], config: FusionConfig) -> FusionResult:
        """Run what follows the panel, from the panel's state on."""
        if not (await self._graph.aget_state(run)).values:
            # As if it had gone on at once: deadlines count from the run's start, and the panel may be of another day.
            started = time.time() - elapsed_work(state["records"])
            # The panel's state holds the configuration of the arm that asked it, and what was decided about that. This
            # arm has a judge and a synthesizer of its own, about whom it is decided anew.
            decided = dump_config((await decide(config, state["run"]["question"], "")).config)
            if (earlier := state["run"]["decided"]) is not None:
                decided |= {"panel": earlier["panel"]}
            run_state = state["run"] | {"config": dump_config(config), "decided": decided, "started": started}
            # As the panelist's node: LangGraph goes on with what follows it, the judge.
            await self._graph.aupdate_state(run, {**state, "run": run_state}, as_node="panelist")
        return await self._finish(run, None, config)

    async def _finish(self, run: Any, inputs: Mapping[str, Any] | None, config: FusionConfig) -> FusionResult:
        stored_state = await self._graph.aget_state(run)
        if stored_state.values and not stored_state.next:  # the process was killed before it wrote the row
            return FusionResult.model_validate(stored_state.values["result"])
        state = await self._graph.ainvoke(inputs, run, context=config, durability="sync")
        return FusionResult.model_validate(state["result"])

    def _thread(self, name: str) -> Any:
        return {
            "run_name": "fusion",
            "configurable": {"thread_id": name, SESSION_KEY: self._session, LISTENER_KEY: None},
        }


def panel_key(question: str, config: FusionConfig) -> str | None:
    """Return the key that runs with the same panel share; `None` for strategies without a panel of its own."""
    # Where the judge decides who is asked next, another judge would have asked others: there is nothing to share.
    if config.strategy == AUTO or config.follow_up or len(strategy_named(config.strategy).waves(config)) > 1:
        return None
    return _key(
        question, {name: value for name, value in dump_config(config).items() if name not in _IRRELEVANT_FIELDS}
    )


def _run_key(arm: str, question: str, config: FusionConfig) -> str:
    return f"run-{_key(arm, question, dump_config(config))}"


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode(errors="replace")).hexdigest()[:32]


def _recorded_state(question: str, answers: Sequence[tuple[str, str]], config: FusionConfig) -> dict[str, Any]:
    """Return the state that the graph would have before its judge, had its seats given recorded answers.

    Args:
        question: What is asked.
        answers: Each seat's model and answer, in the panel's order; an empty answer is a seat that failed.
        config: The run's configuration, with a seat for each answer.
    """
    run, seats = new_run(config, question), list(range(len(answers)))
    plan = Plan(strategy="panel", seats=seats, waves=[seats], reason="a recorded panel", bash="none: nobody was asked")
    records = [
        _recorded_seat(run["id"], index, config.seat_labels[index], model, answer)
        for index, (model, answer) in enumerate(answers)
    ]
    return {"run": run, "plan": plan, "wave": 1, "asks": [], "agreed": None, "records": records, **NO_OUTCOME}


def _recorded_seat(run_id: str, index: int, label: str, model: str, answer: str) -> SeatRecord:
    empty = Failure(model=model, reason="empty", message="the recording holds no answer", status_code=None)
    return SeatRecord(
        run_id=run_id,
        wave=1,
        index=index,
        seat=label,
        model=model,
        point="",
        answered=bool(answer.strip()),
        truncated=False,
        content=answer,
        found=[],
        tool_calls=0,
        dropped=0,
        seconds=0.0,
        failures=[] if answer.strip() else [empty],
        calls=[],
        spent=[0.0, 0],
    )
