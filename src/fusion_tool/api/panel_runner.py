"""`PanelRunner`: a panel that is asked again and again, behind a tool and a chat model."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Literal

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from fusion_tool.api.execution import Execution, stored_run
from fusion_tool.api.run_store import RUN_ID, StorePlace, default_place, open_store
from fusion_tool.api.runner import request_slot, stream_run
from fusion_tool.api.stored_runs import read_result
from fusion_tool.budget.session import SESSION_KEY, Session
from fusion_tool.budget.shared import SharedBudget
from fusion_tool.budget.store import Amounts
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.errors import ConfigError, PanelFailed
from fusion_tool.events import Event
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.inputs import RunInput


class PanelRunner:
    """A panel as its face owns it, a tool or a chat model: run after run inside a caller's own run, under one session.

    Args:
        config: What every run uses.
        panel_tools: LangChain tools that every seat gets besides its own.
        session_limits: Limits of all runs together; `None` sets none.
        session: The name under which others, in other processes too, share these limits; `None` keeps them its own.
        keep: Where each run is kept, so that it can be resumed by its id: `True` for where runs are; `False` nowhere.

    Raises:
        ConfigError: `session_limits` sets what holds for one run alone, or are no limits.
    """

    def __init__(
        self,
        config: FusionConfig,
        panel_tools: Sequence[Any] = (),
        session_limits: Limits | Mapping[str, Any] | None = None,
        session: str | None = None,
        keep: StorePlace | bool = False,
    ) -> None:
        limits = Limits(**session_limits) if isinstance(session_limits, Mapping) else session_limits
        if not isinstance(limits, Limits | None):
            raise ConfigError("expected limits, such as {'usd': 1.0}", field="session_limits")
        self.config, self.session = config, Session(limits)
        self._shared = None
        if session is not None:
            self._shared = SharedBudget.of_session(session, limits, config)
            self.session = Session()  # counts what is this object's part
        self._tools, self._keep = tuple(panel_tools), keep
        # Compiled once: it holds no state of a run, and an agent may call its tool many times at once.
        self._graph = build_graph(config, panel_tools=self._tools)

    def stream(
        self,
        request: RunInput,
        *,
        is_watched: bool,
        config: FusionConfig | None = None,
        callbacks: BaseCallbackManager | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Carry out one run, as `stream_run` does.

        It is part of the surrounding run, if any, whose callbacks, tags and metadata it inherits.

        Args:
            request: What is asked.
            is_watched: Whether somebody reads the answer while it is written; else it need not be streamed.
            config: The configuration of this run alone; `None` uses the panel's.
            callbacks: Those that it gets instead of the inherited ones; `None` keeps these.

        Raises:
            FusionError: As `afuse`.
        """
        config = config or self.config
        slot = request_slot(request, config, self._tools)
        return stream_run(self._execution(request, config, callbacks), slot, is_watched=is_watched)

    @asynccontextmanager
    async def _execution(
        self, request: RunInput, config: FusionConfig, callbacks: BaseCallbackManager | None
    ) -> AsyncIterator[Execution]:
        # The session may leave less time than the run's own limit.
        async with self._open_session(config) as session:
            with session.run(run_seconds(config)) as seconds:
                limits = config.limits if seconds is None else config.limits.model_copy(update={"seconds": seconds})
                async with self._open_run(request, config.model_copy(update={"limits": limits})) as run:
                    run.config["configurable"] = {**run.config.get("configurable", {}), SESSION_KEY: session}
                    if callbacks is not None:
                        run.config["callbacks"] = callbacks
                    yield run

    def _open_run(self, request: RunInput, config: FusionConfig) -> AbstractAsyncContextManager[Execution]:
        if self._keep is False:
            execution = Execution(self._graph, request.graph_input, RunnableConfig(run_name="fusion"), config)
            return nullcontext(execution)
        return stored_run(request.graph_input, config, self._tools, self._place(config, self._keep))

    async def kept_result(self, run_id: str) -> dict[str, Any] | None:
        """Return the result of a finished run, as a dict, that is kept where this object keeps its own.

        Args:
            run_id: The whole id: by its beginning alone nobody comes to another's run.

        Returns:
            The result; `None` where there is none, where a server keeps it for its caller, and where nothing is kept.

        Raises:
            DatabaseUnavailable: The shared database cannot be reached.
        """
        if self._keep is False or not RUN_ID.fullmatch(run_id):
            return None
        place = self._place(self.config, self._keep)
        try:
            result = await read_result(run_id, place)
            async with open_store(place) as store:
                return None if await store.owner(run_id) else result.model_dump(mode="json")
        except (ConfigError, PanelFailed):
            return None

    @staticmethod
    def _place(config: FusionConfig, keep: StorePlace | Literal[True]) -> StorePlace:
        return default_place(config) if keep is True else keep

    @asynccontextmanager
    async def _open_session(self, config: FusionConfig) -> AsyncIterator[Session]:
        if self._shared is None:
            yield self.session
            return
        seconds = run_seconds(config)
        wanted = Amounts(config.limits.usd or math.inf, config.limits.tokens or math.inf, seconds)
        async with self._shared.open(wanted, lease_seconds=seconds, patience=seconds, outer=self.session) as (run, _):
            yield run
